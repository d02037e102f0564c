"""
The admin of the catalog: which pathways are requestable, why not, and how often credit was requested.

What a synchronization created is read-only, until staff choose *Manage here* (ADR 0019).
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ..catalog.sync import lock_catalog
from ..database import UnsupportedText, any_text, is_id, retry_once
from ..decorators import non_atomic_requests
from ..models import Pathway, Program, UserCreditPathway
from ..sanitize import is_invisible
from .filters import IdSelectMultiple
from .learner_rows import RowAdmin
from .links import page_url, requests_link, row_link

#: Requests of this period are counted.
RECENT_PERIOD = timedelta(days=30)


def count_recent_requests(field: str, rows: Iterable[Any]) -> dict[int, int]:
    """
    Return the numbers of recent requests of ``rows`` by id, without the rows that have none.

    This is one query for all rows, because MySQL and MariaDB would read all requests of each row in a subquery.
    """
    requests = UserCreditPathway.objects.filter(
        **{f"{field}__in": [row.pk for row in rows]}, created__gte=timezone.now() - RECENT_PERIOD
    )
    return dict(requests.order_by().values_list(field).annotate(number=Count("*")))


class CatalogForm(forms.ModelForm):
    """Refuses text that shows nothing, or that the database cannot store."""

    def clean(self) -> dict[str, Any]:
        super().clean()
        for name, value in list(self.cleaned_data.items()):
            if not isinstance(value, str) or not value:
                continue
            if is_invisible(value):
                self.add_error(name, _("Enter text that people can see."))
            elif not _is_storable(self._meta.model, name, value):
                self.add_error(
                    name, _("The database cannot store all of these characters. Remove emojis, for example.")
                )
        return self.cleaned_data


class IdsField(forms.ModelMultipleChoiceField):
    """A choice of rows. SQLite cannot look for numbers that are too large for an id."""

    def clean(self, value: Any) -> Any:
        for pk in value or ():
            if not is_id(str(pk)):
                raise forms.ValidationError(self.error_messages["invalid_pk_value"], "invalid", {"pk": pk})
        return super().clean(value)


def _is_storable(model: Any, name: str, value: str) -> bool:
    """Return whether the database can compare the field with ``value``: it can store only what it can compare."""
    try:
        with any_text():
            model._default_manager.filter(**{name: value}).exists()
    except UnsupportedText:
        return False
    return True


class CatalogChangeList(ChangeList):
    """A list whose rows have ``recent_request_count``."""

    def get_results(self, request: HttpRequest) -> None:
        """Count requests. Treat text that the database cannot compare with as other invalid values of filters."""
        try:
            with any_text():
                super().get_results(request)
        except (UnsupportedText, OverflowError) as error:  # a number too large for SQLite
            raise IncorrectLookupParameters from error
        self.result_list: Any = list(self.result_list)
        counts = count_recent_requests(self.model_admin.request_field, self.result_list)  # type: ignore[attr-defined]
        for row in self.result_list:
            row.recent_request_count = counts.get(row.pk, 0)


class CatalogAdmin(RowAdmin):
    """The base class for the admins of programs and pathways."""

    #: The foreign key of a credit request to this model.
    request_field: ClassVar[str]
    readonly_fields: ClassVar[Any] = ("recent_requests",)
    form = CatalogForm
    show_facets = admin.ShowFacets.NEVER
    actions = ("manage_here",)
    change_form_template = "credit_pathways/admin/catalog_row.html"

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view(self.manage_here_view), f"{self._url_prefix}_manage_here"
        return [path("<int:pk>/manage-here/", view, name=name), *super().get_urls()]

    @property
    def _url_prefix(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_synced)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_synced)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Suggest a uuid for a row that is added by hand. Copied rows have Discovery's."""
        return {"uuid": uuid4(), **super().get_changeform_initial_data(request)}

    @method_decorator(non_atomic_requests)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, extra_context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_manage_here": self.has_change_permission(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    @method_decorator([non_atomic_requests, require_POST])
    def manage_here_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Carry out the action for one row, from its page."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        self.manage_here(request, self.get_queryset(request).filter(pk=pk))
        return HttpResponseRedirect(page_url(self.admin_site, self.model, "change", pk))

    @admin.action(description=_("Manage here"), permissions=["change"])
    def manage_here(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let staff edit rows that a synchronization created; synchronizations leave them as they are from now on."""
        # In the order in which requests lock pathways, because all of this may be inside a transaction of the host's.
        number = sum(retry_once(partial(self._clear_is_synced, request, row)) for row in queryset.order_by("pk"))
        if not number:
            unchanged = _("Nothing was changed. Everything you selected is already managed here.")
            self.message_user(request, unchanged, messages.WARNING)
            return
        text = ngettext(
            "%(number)d item is now managed here. You can edit it, and synchronizations no longer update or retire it.",
            "%(number)d items are now managed here. You can edit them, and synchronizations no longer update or "
            "retire them.",
            number,
        )
        self.message_user(request, text % {"number": number}, messages.SUCCESS)

    def _clear_is_synced(self, request: HttpRequest, row: Any) -> bool:
        """Return whether this request cleared the flag, and not an earlier one."""
        lock_catalog(row.site_id)
        synced = self.model._default_manager.filter(pk=row.pk, is_synced=True)
        is_cleared = bool(synced.update(is_synced=False, modified=timezone.now()))
        if is_cleared:
            self.log_change(request, row, "Manage here")
        return is_cleared

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term and not _is_storable(self.model, self.search_fields[0], search_term):
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow only the query parameters of the list's filters."""
        return lookup.endswith("__exact") and lookup.split("__", maxsplit=1)[0] in self.list_filter

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._permitted(request, super().get_list_display(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._permitted(request, super().get_readonly_fields(request, obj))

    @staticmethod
    def _permitted(request: HttpRequest, names: Any) -> list[Any]:
        may_view_requests = request.user.has_perm("credit_pathways.view_usercreditpathway")
        return [name for name in names if may_view_requests or name != "recent_requests"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CatalogChangeList

    @admin.display(description=_("requests of the last 30 days"))
    def recent_requests(self, row: Any) -> SafeString | str:
        """Return the number of recent requests, with a link to them."""
        if not row.pk:
            return "-"
        if not hasattr(row, "recent_request_count"):
            row.recent_request_count = count_recent_requests(self.request_field, [row]).get(row.pk, 0)
        since = timezone.localdate(timezone.now() - RECENT_PERIOD).isoformat()
        return requests_link(self.admin_site, row.recent_request_count, **{self.request_field: row.pk, "since": since})


@admin.register(Program)
class ProgramAdmin(CatalogAdmin):
    """Programs."""

    request_field = "program"
    list_display = ("title", "type", "school", "status", "site", "recent_requests")
    list_filter = ("status", "is_synced", "site")
    list_select_related = ("site",)
    search_fields = ("title", "school")
    ordering = ("title", "id")
    readonly_fields = ("linked_pathways", "recent_requests")

    @admin.display(description=_("pathways"))
    def linked_pathways(self, program: Program) -> SafeString | str:
        """Return the pathways of the program, each with whether it is requestable and, if not, why."""
        if not program.pk:
            return "-"
        pathways = program.pathways.with_needs().order_by("name", "pk")
        on_other_site = str(_("No. It is of another site."))
        lines = (
            (
                row_link(self.admin_site, pathway),
                _requestable(pathway) if pathway.site_id == program.site_id else on_other_site,
            )
            for pathway in pathways
        )
        return format_html_join("", "<p>{}<br>{}</p>", lines) or str(_("None: link pathways to it in the catalog."))


@admin.register(Pathway)
class PathwayAdmin(CatalogAdmin):
    """Pathways."""

    request_field = "pathway"
    list_display = ("name", "org_name", "email", "program_count", "requestable", "recent_requests", "status", "site")
    list_filter = ("status", "pathway_type", "is_synced", "site")
    list_select_related = ("site",)
    search_fields = ("name", "org_name", "email")
    autocomplete_fields = ("programs",)
    ordering = ("name", "id")
    readonly_fields = ("requestable", "recent_requests")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        links: QuerySet[Any] = Pathway.programs.through.objects.filter(pathway=OuterRef("pk")).order_by()
        counts = links.values("pathway").annotate(number=Count("*")).values("number")
        pathways: Any = super().get_queryset(request)
        return pathways.with_needs().annotate(program_count=Coalesce(Subquery(counts), 0))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["widget"] = IdSelectMultiple(db_field, self.admin_site)
        return super().formfield_for_manytomany(db_field, request, form_class=IdsField, **kwargs)

    @admin.display(description=_("programs"), ordering="program_count")
    def program_count(self, pathway: Pathway) -> int:
        return pathway.program_count  # type: ignore[attr-defined]

    @admin.display(description=_("requestable"))
    def requestable(self, pathway: Pathway) -> str:
        return _requestable(pathway) if pathway.pk else "-"


def _requestable(pathway: Pathway) -> str:
    return " ".join(map(str, [_("No."), *pathway.problems])) if pathway.problems else str(_("Yes."))
