"""Links in emails, and public links."""

from typing import Any
from uuid import UUID

from django.test import Client
from django.urls import reverse


def absolute_url(name: str, *args: Any, domain: str = "example.com") -> str:
    """Return the address of a page of the app on a site."""
    return f"https://{domain}{reverse(f'credit_pathways:{name}', args=args)}"


def open_link(client: Client, uuid: UUID) -> list[int]:
    """Return the status codes of the page, the CSV and the JSON of a public link."""
    paths = [reverse(f"credit_pathways:{name}", args=[uuid]) for name in ("public_record", "public_record_csv")]
    json = reverse("credit_pathways:api-records-detail", args=[uuid])
    responses: list[Any] = [client.get(path) for path in (*paths, f"{json}?is_public=true")]
    return [response.status_code for response in responses]
