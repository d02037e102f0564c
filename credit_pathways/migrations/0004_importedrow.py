"""What was imported from Credentials' own records app (ADR 0017); its table is new, so nothing waits."""

import django.db.models.deletion
from django.db import migrations, models


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
    ]
