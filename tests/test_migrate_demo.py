"""``make demo`` after an update: it replaces the database of an older demo, and keeps a current one."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def database(tmp_path):
    return tmp_path / "db.sqlite3"


def migrate_demo(database):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "demo.settings", "DEMO_DATABASE": str(database)}
    command = [sys.executable, "manage.py", "migrate_demo"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def execute(database, statement):
    connection = sqlite3.connect(database)
    with connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def test_an_old_database_is_replaced(database):
    """This one claims that migrations ran, but has none of their tables."""
    execute(database, "CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT, name TEXT, applied TEXT)")
    execute(database, "INSERT INTO django_migrations VALUES (1, 'credit_pathways', '0003_indexes', '2026-11-22')")
    execute(database, "INSERT INTO django_migrations VALUES (2, 'credit_pathways', '0001_initial', '2026-11-22')")
    execute(database, "INSERT INTO django_migrations VALUES (3, 'demo', '0001_initial', '2026-11-22')")
    assert "older version" in migrate_demo(database)
    assert execute(database, "SELECT count(*) FROM credit_pathways_importedrow") == [(0,)]


def test_a_current_database_is_kept(database):
    assert migrate_demo(database) == ""
    execute(database, "INSERT INTO django_site (domain, name) VALUES ('kept.example', 'Kept')")
    assert migrate_demo(database) == ""
    assert execute(database, "SELECT count(*) FROM django_site WHERE domain = 'kept.example'") == [(1,)]


def test_a_database_that_is_not_a_demos_is_kept(database):
    execute(database, "CREATE TABLE diary (entry TEXT)")
    assert migrate_demo(database) == ""
    assert execute(database, "SELECT count(*) FROM diary") == [(0,)]
