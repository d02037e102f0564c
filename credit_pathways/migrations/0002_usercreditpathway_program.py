"""Record the program of each credit request (ADR 0001). Earlier rows keep null forever: there is no backfill."""

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
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='credit_pathways.program', verbose_name='program'),
        ),
        migrations.AddIndex(
            model_name='usercreditpathway',
            index=models.Index(fields=['user', 'pathway', 'program', 'created'], name='credit_pathways_by_learner'),
        ),
        migrations.AddIndex(
            model_name='usercreditpathway',
            index=models.Index(fields=['program', 'created'], name='credit_pathways_by_program'),
        ),
    ]
