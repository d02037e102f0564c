"""Credit requests record their program (ADR 0001). Rows from before keep null for ever: there is no backfill."""

import django.db.models.deletion
from django.db import migrations, models

from ._online_columns import AddForeignKeyOnline


class Migration(migrations.Migration):

    # ADR 0011: each step commits, so that none keeps its lock while the next one runs.
    atomic = False

    dependencies = [
        ('credit_pathways', '0001_initial'),
    ]

    operations = [
        AddForeignKeyOnline(
            model_name='usercreditpathway',
            name='program',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='credit_pathways.program', verbose_name='program'),
        ),
    ]
