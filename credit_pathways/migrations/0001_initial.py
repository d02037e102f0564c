"""The schema, except that credit requests do not record their program (see 0002)."""

import django.db.models.deletion
import django.utils.timezone
import model_utils.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('sites', '0002_alter_domain_unique'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Program',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', model_utils.fields.AutoCreatedField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('modified', model_utils.fields.AutoLastModifiedField(default=django.utils.timezone.now, editable=False, verbose_name='modified')),
                ('uuid', models.UUIDField(verbose_name='UUID')),
                ('title', models.CharField(max_length=255, verbose_name='title')),
                ('type', models.CharField(blank=True, help_text='For example MicroMasters.', max_length=255, verbose_name='type')),
                ('school', models.TextField(blank=True, help_text='Names of the authoring organisations.', verbose_name='school')),
                ('status', models.CharField(choices=[('active', 'active'), ('retired', 'retired'), ('unpublished', 'unpublished'), ('deleted', 'deleted')], default='active', max_length=24, verbose_name='status')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sites.site', verbose_name='site')),
            ],
            options={
                'verbose_name': 'program',
                'verbose_name_plural': 'programs',
            },
        ),
        migrations.CreateModel(
            name='Pathway',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', model_utils.fields.AutoCreatedField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('modified', model_utils.fields.AutoLastModifiedField(default=django.utils.timezone.now, editable=False, verbose_name='modified')),
                ('uuid', models.UUIDField(verbose_name='UUID')),
                ('name', models.CharField(max_length=255, verbose_name='name')),
                ('org_name', models.CharField(max_length=255, verbose_name='institution')),
                ('email', models.EmailField(blank=True, help_text='Where the institution gets requests.', max_length=254, verbose_name='email address')),
                ('pathway_type', models.CharField(choices=[('credit', 'credit'), ('industry', 'industry')], default='credit', max_length=24, verbose_name='type')),
                ('status', models.CharField(choices=[('published', 'published'), ('unpublished', 'unpublished'), ('retired', 'retired')], default='published', max_length=24, verbose_name='status')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sites.site', verbose_name='site')),
                ('programs', models.ManyToManyField(blank=True, related_name='pathways', to='credit_pathways.program', verbose_name='programs')),
            ],
            options={
                'verbose_name': 'pathway',
                'verbose_name_plural': 'pathways',
            },
        ),
        migrations.CreateModel(
            name='ProgramCertRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', model_utils.fields.AutoCreatedField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('modified', model_utils.fields.AutoLastModifiedField(default=django.utils.timezone.now, editable=False, verbose_name='modified')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name='UUID')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='shared_records', to='credit_pathways.program', verbose_name='program')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='learner')),
            ],
            options={
                'verbose_name': 'shared program record',
                'verbose_name_plural': 'shared program records',
            },
        ),
        migrations.CreateModel(
            name='UserCreditPathway',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', model_utils.fields.AutoCreatedField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('modified', model_utils.fields.AutoLastModifiedField(default=django.utils.timezone.now, editable=False, verbose_name='modified')),
                ('status', models.CharField(choices=[('pending', 'pending'), ('sent', 'sent'), ('failed', 'failed')], default='pending', max_length=15, verbose_name='status')),
                ('pathway', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='credit_pathways.pathway', verbose_name='pathway')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='learner')),
            ],
            options={
                'verbose_name': 'credit request',
                'verbose_name_plural': 'credit requests',
                'permissions': [('deliver_usercreditpathway', 'Can deliver credit requests again')],
            },
        ),
        migrations.CreateModel(
            name='ImportedRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=64)),
                ('row_id', models.BigIntegerField()),
                ('credit_request', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='imported_row', to='credit_pathways.usercreditpathway')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddConstraint(
            model_name='program',
            constraint=models.UniqueConstraint(fields=('site', 'uuid'), name='credit_pathways_program_once'),
        ),
        migrations.AddConstraint(
            model_name='pathway',
            constraint=models.UniqueConstraint(fields=('site', 'uuid'), name='credit_pathways_pathway_once'),
        ),
        migrations.AddConstraint(
            model_name='programcertrecord',
            constraint=models.UniqueConstraint(fields=('program', 'user'), name='credit_pathways_one_shared_record'),
        ),
        migrations.AddConstraint(
            model_name='importedrow',
            constraint=models.UniqueConstraint(fields=('table', 'row_id'), name='credit_pathways_imported_once'),
        ),
        migrations.AddIndex(
            model_name='usercreditpathway',
            index=models.Index(fields=['created'], name='credit_pathways_by_created'),
        ),
        migrations.AddIndex(
            model_name='usercreditpathway',
            index=models.Index(fields=['pathway', 'created'], name='credit_pathways_by_pathway'),
        ),
        migrations.AddIndex(
            model_name='usercreditpathway',
            index=models.Index(fields=['status', 'created'], name='credit_pathways_by_status'),
        ),
    ]
