"""Record the outcome of each delivery, what learners do next, and which rows of the catalog are synchronized."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credit_pathways', '0002_usercreditpathway_program'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='usercreditpathway',
            options={'permissions': [('deliver_usercreditpathway', 'Can deliver credit requests again'), ('retire_learner', 'Can retire learners')], 'verbose_name': 'credit request', 'verbose_name_plural': 'credit requests'},
        ),
        migrations.AddField(
            model_name='pathway',
            name='description',
            field=models.TextField(blank=True, help_text='What learners should do after requesting credit. Plain text.', verbose_name='description'),
        ),
        migrations.AddField(
            model_name='pathway',
            name='destination_url',
            field=models.CharField(blank=True, help_text="The institution's page about the next steps. It must start with http:// or https://.", max_length=2000, validators=[django.core.validators.URLValidator(schemes=['http', 'https'])], verbose_name='next steps page'),
        ),
        migrations.AddField(
            model_name='pathway',
            name='is_synced',
            field=models.BooleanField(default=False, editable=False, verbose_name='synchronized'),
        ),
        migrations.AddField(
            model_name='program',
            name='is_synced',
            field=models.BooleanField(default=False, editable=False, verbose_name='synchronized'),
        ),
        migrations.AddField(
            model_name='usercreditpathway',
            name='attempts',
            field=models.PositiveIntegerField(default=0, verbose_name='delivery attempts'),
        ),
        migrations.AddField(
            model_name='usercreditpathway',
            name='bounce_reason',
            field=models.CharField(blank=True, max_length=255, verbose_name='why it bounced'),
        ),
        migrations.AddField(
            model_name='usercreditpathway',
            name='bounced_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='bounced at'),
        ),
        migrations.AddField(
            model_name='usercreditpathway',
            name='completed',
            field=models.BooleanField(blank=True, null=True, verbose_name='completed when requested'),
        ),
        migrations.AddField(
            model_name='usercreditpathway',
            name='failure_reason',
            field=models.CharField(blank=True, max_length=255, verbose_name='why it has not been sent'),
        ),
        migrations.AddField(
            model_name='usercreditpathway',
            name='learner_email_attempts',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='usercreditpathway',
            name='sent_to',
            field=models.EmailField(blank=True, max_length=254, verbose_name='sent to'),
        ),
    ]
