"""Indexes for the queries of admin, API and reports, and the permission to deliver again (ADR 0013)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from ._online_indexes import AddIndexOnline, DropForeignKeyIndexOnline


class Migration(migrations.Migration):

    # ADR 0011: each step commits, so that none keeps its lock while the next one runs.
    atomic = False

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('credit_pathways', '0002_usercreditpathway_program'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='usercreditpathway',
            options={'permissions': [('deliver_usercreditpathway', 'Can deliver credit requests again')], 'verbose_name': 'credit request', 'verbose_name_plural': 'credit requests'},
        ),
        AddIndexOnline(
            model_name='usercreditpathway',
            index=models.Index(fields=['created'], name='credit_pathways_by_created'),
        ),
        AddIndexOnline(
            model_name='usercreditpathway',
            index=models.Index(fields=['user', 'pathway', 'program', 'created'], name='credit_pathways_by_learner'),
        ),
        AddIndexOnline(
            model_name='usercreditpathway',
            index=models.Index(fields=['pathway', 'created'], name='credit_pathways_by_pathway'),
        ),
        AddIndexOnline(
            model_name='usercreditpathway',
            index=models.Index(fields=['program', 'created'], name='credit_pathways_by_program'),
        ),
        AddIndexOnline(
            model_name='usercreditpathway',
            index=models.Index(fields=['status', 'created'], name='credit_pathways_by_status'),
        ),
        # After the indexes that begin with their columns: MySQL and MariaDB keep one for each foreign key.
        DropForeignKeyIndexOnline(
            model_name='usercreditpathway',
            name='program',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='credit_pathways.program', verbose_name='program'),
        ),
        DropForeignKeyIndexOnline(
            model_name='usercreditpathway',
            name='user',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='learner'),
        ),
        DropForeignKeyIndexOnline(
            model_name='usercreditpathway',
            name='pathway',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='credit_pathways.pathway', verbose_name='pathway'),
        ),
    ]
