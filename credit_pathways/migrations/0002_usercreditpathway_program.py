"""Credit requests record their program (ADR 0001). Rows from before keep null for ever: there is no backfill."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credit_pathways', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='usercreditpathway',
            name='program',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='credit_pathways.program', verbose_name='program'),
        ),
    ]
