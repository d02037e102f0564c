# Needs Python 3.11 or newer. Everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The tools that read demo/, which is not installed.
export PYTHONPATH := $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help demo demo-celery test test-all bench bench-all test-in-credentials quality package docs messages screenshots matrix requirements clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

# One environment. A stamp file marks a list of requirements as installed.
$(VENV)/%.stamp: requirements/%.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $< -e .
	touch $@

demo: $(VENV)/demo.stamp ## Start the demo on port 8000
	$(BIN)/python manage.py migrate_demo
	$(BIN)/python manage.py load_demo
	$(BIN)/python manage.py runserver 8000

demo-celery: export DJANGO_SETTINGS_MODULE = demo.settings_celery
demo-celery: $(VENV)/demo-celery.stamp ## Start the demo with a Celery worker; CELERY_BROKER_URL and DATABASE_URL say where
	$(BIN)/python manage.py migrate_demo
	$(BIN)/python manage.py load_demo
	$(BIN)/celery -A demo.celery worker -Q credit_pathways -c 2 --loglevel INFO & worker=$$!; \
		trap "kill $$worker" EXIT; $(BIN)/python manage.py runserver 8000

test: $(VENV)/test.stamp ## Install what the tests need and run them
	$(BIN)/python -m pytest $(COVERAGE)
	DJANGO_SETTINGS_MODULE=tests.unusual.settings $(BIN)/python -m pytest $(CONTRACT_TESTS)

# Only in CI, because measuring coverage makes the run a third longer.
COVERAGE = $(if $(CI),--cov --cov-report=term-missing:skip-covered)

# The tests of the contract, which are run again in a host with unusual settings. Three count queries, and CSRF_USE_SESSIONS
# adds those that save the session.
CONTRACT_TESTS = -n 2 -m "not services and not benchmark and not usual_users" \
	--deselect tests/admin/test_lists.py::TestCatalog::test_number_of_queries \
	--deselect tests/admin/test_lists.py::TestCreditRequests::test_number_of_queries \
	--deselect tests/admin/test_report.py::test_number_of_queries \
	$(addprefix tests/,unusual admin management rest_api catalog/test_files.py catalog/test_sync.py \
	delivery/test_bounces.py delivery/test_message.py delivery/test_sending.py test_api.py test_credit_requests.py \
	test_any_text.py test_earlier_requests.py test_exports.py test_hostile_text.py test_links.py test_malformed.py test_names.py test_promises.py \
	test_record_csv.py test_records.py test_reports.py test_rest_api.py test_retirement.py test_sanitize.py \
	test_signals.py test_tasks.py test_templatetags.py test_throttling.py test_users.py test_views.py)

# Where the services are; the tests' brokers' addresses are in tests/services/conftest.py.
TEST_POSTGRESQL_URL ?= postgres://postgres@127.0.0.1:5432/postgres
TEST_MARIADB_URL ?= mysql://root@127.0.0.1:3306/test
TEST_REDIS_URL ?= redis://127.0.0.1:6379/0

# The tests of requesting, sharing and revoking, also next to imports and synchronizations, without the many ways in
# which an email can fail.
REQUEST_TESTS = -n 2 --deselect tests/test_promises.py::TestSentIsTrue $(addprefix tests/,test_api.py test_conflicts.py \
	test_promises.py test_retirement.py test_tasks.py delivery/test_bounces.py delivery/test_sending.py \
	management/test_deliver_pending.py admin/test_deliver_again.py catalog/test_concurrency.py \
	in_credentials/test_import_conflicts.py)

# The tests of text, of the catalog, the API, the admin and the pages, on a database that cannot store all text.
CHARSET_TESTS = -m "not services and not browser and not benchmark" $(addprefix tests/,admin catalog rest_api \
	management delivery/test_bounces.py test_any_text.py test_api.py test_credit_requests.py test_hostile_text.py test_malformed.py \
	test_names.py test_record_csv.py test_rest_api.py test_retirement.py test_views.py)

# The browser tests, the test of the API's schema and the benchmarks use SQLite, so one run is enough.
test-all: $(VENV)/services.stamp test ## All tests, on SQLite, PostgreSQL and MariaDB, with Redis and RabbitMQ
	$(BIN)/python -m pytest -m benchmark
	$(BIN)/python -m pytest -m services tests/services/test_schema.py
	TEST_DATABASE_URL=$(TEST_POSTGRESQL_URL) $(BIN)/python -m pytest -m "not browser and not benchmark"
	TEST_DATABASE_URL=$(TEST_MARIADB_URL) $(BIN)/python -m pytest -m "not browser and not benchmark"
	TEST_DATABASE_URL=$(TEST_POSTGRESQL_URL) TEST_ISOLATION_LEVEL="repeatable read" $(BIN)/python -m pytest $(REQUEST_TESTS)
	TEST_DATABASE_URL=$(TEST_POSTGRESQL_URL) TEST_ISOLATION_LEVEL=serializable $(BIN)/python -m pytest $(REQUEST_TESTS)
	TEST_DATABASE_URL=$(TEST_MARIADB_URL) TEST_CHARSET=utf8mb3 $(BIN)/python -m pytest -n 2 $(CHARSET_TESTS)
	TEST_DATABASE_URL=$(TEST_MARIADB_URL) TEST_ISOLATION_LEVEL="repeatable read" $(BIN)/python -m pytest $(REQUEST_TESTS)

bench: $(VENV)/test.stamp ## Measure what people wait for, on SQLite
	$(BIN)/python -m benchmarks.run

bench-all: $(VENV)/services.stamp bench ## The same on PostgreSQL and MariaDB, and the capacity of Celery workers over Redis
	TEST_DATABASE_URL=$(TEST_POSTGRESQL_URL) $(BIN)/python -m benchmarks.run
	TEST_DATABASE_URL=$(TEST_POSTGRESQL_URL) $(BIN)/python -m benchmarks.capacity --broker $(TEST_REDIS_URL)
	TEST_DATABASE_URL=$(TEST_MARIADB_URL) $(BIN)/python -m benchmarks.run
	TEST_DATABASE_URL=$(TEST_MARIADB_URL) $(BIN)/python -m benchmarks.capacity --broker $(TEST_REDIS_URL)

# The environment of Credentials has this checkout installed.
test-in-credentials: ## Test the plug-in in a checkout of Credentials; CREDENTIALS and CREDENTIALS_PYTHON say where
	cd $(CREDENTIALS) && $(CREDENTIALS_PYTHON) -m pytest -p no:cacheprovider -c pytest.ini --ds credentials.settings.test \
		--rootdir $(CURDIR)/tests/in_credentials --confcutdir $(CURDIR)/tests/in_credentials $(CURDIR)/tests/in_credentials

quality: $(VENV)/quality.stamp ## Format, lint, types, layers, annotations, migrations, schema, messages, package, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=demo.settings $(BIN)/code_annotations django_find_annotations \
		--config_file .pii_annotations.yml --lint --coverage
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/python manage.py check --fail-level WARNING
	rm -rf build/messages && mkdir -p build && cp -R credit_pathways build/messages
	cd build/messages && ../../$(BIN)/$(MAKEMESSAGES)
	diff -r -I POT-Creation-Date build/messages/locale credit_pathways/locale
	$(MAKE) docs package

package: $(VENV)/quality.stamp ## Build the distributions, install the wheel into an empty environment, and check it there
	rm -rf build
	$(BIN)/python -m build --outdir build/dist . >/dev/null
	tar --list --file build/dist/*.tar.gz | cut -d / -f 2- >build/dist/sdist
	$(BIN)/python -m zipfile --list build/dist/*.whl | cut -d ' ' -f 1 >build/dist/wheel
	for list in sdist wheel; do \
		for file in $$(git ls-files credit_pathways); do grep --quiet "^$$file$$" build/dist/$$list || exit 1; done; done
	$(BIN)/python -m venv build/env
	cp tests/support/installed_settings.py tests/support/installed_urls.py build/env
	cd build/env && unset PYTHONPATH && bin/python -m pip install --quiet --disable-pip-version-check ../dist/*.whl && \
		DJANGO_SETTINGS_MODULE=installed_settings bin/python -m django check --fail-level WARNING
	rm -rf build

# Needs GNU gettext. The catalogs of the sources as they are; translate what is empty or fuzzy, then run it again.
MAKEMESSAGES = django-admin makemessages --locale ar --locale es --locale fr --locale zh \
	--no-obsolete --add-location file --no-wrap --verbosity 0

messages: $(VENV)/quality.stamp ## Update the catalogs of messages, and compile them
	cd credit_pathways && ../$(BIN)/$(MAKEMESSAGES)
	cd credit_pathways && ../$(BIN)/django-admin compilemessages --verbosity 0

screenshots: $(VENV)/test.stamp ## Take the pictures of docs/images from the demo; needs Chromium
	$(BIN)/python -m tests.browser.screenshots docs/images

docs: $(VENV)/quality.stamp ## Build the documentation; a warning is an error
	$(BIN)/doc8 docs README.rst CHANGELOG.rst
	$(BIN)/sphinx-build --quiet -W --keep-going docs docs/_build

matrix: $(VENV)/quality.stamp ## Run the tests on every supported Python and Django
	$(BIN)/tox run

requirements: $(VENV)/quality.stamp ## Compile requirements/*.in, without any index's address
	cd requirements && for name in demo demo-celery test services quality; do \
		../$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-header --no-emit-index-url \
			--no-emit-find-links --no-emit-trusted-host --output-file $$name.txt $$name.in; done

clean: ## Remove what was built
	rm -rf $(VENV) .tox docs/_build demo/db.sqlite3
