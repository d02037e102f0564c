"""What was imported from Credentials' own records app (ADR 0017); its table is new, so nothing waits."""

import django.db.models.deletion
from django.db import migrations, models


BATCH = 1000


def delete_copies(apps, schema_editor):
    """
    Delete the imported credit requests: without ImportedRow they would be delivered, and imported once more.

    Their originals are in Credentials' own table.
    """
    rows = apps.get_model("credit_pathways", "ImportedRow").objects.using(schema_editor.connection.alias)
    requests = apps.get_model("credit_pathways", "UserCreditPathway").objects.using(schema_editor.connection.alias)
    copies = rows.filter(credit_request__isnull=False).order_by("pk").values_list("pk", "credit_request")
    while batch := dict(copies[:BATCH]):
        requests.filter(pk__in=batch.values()).delete()
        rows.filter(pk__in=batch).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('credit_pathways', '0003_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImportedRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=64)),
                ('row_id', models.BigIntegerField()),
                ('credit_request', models.OneToOneField(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='imported_row', to='credit_pathways.usercreditpathway')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('table', 'row_id'), name='credit_pathways_imported_once')],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, delete_copies),
    ]
