"""Items of a catalog, in the shape of Discovery's API."""

import uuid


def program_item(**values):
    organizations = [{"uuid": str(uuid.uuid4()), "name": "Northfield"}, {"uuid": str(uuid.uuid4()), "name": "Lakeside"}]
    item = {"title": "Statistics", "type": "MicroMasters", "status": "active", "authoring_organizations": organizations}
    return {"uuid": str(uuid.uuid4()), **item, "courses": [], **values}


def pathway_item(*programs, **values):
    item = {"name": "Master", "org_name": "Northfield", "email": "registrar@northfield.example"}
    links = [{"uuid": program["uuid"], "title": "ignored"} for program in programs]
    kind = {"pathway_type": "credit", "status": "published"}
    return {"uuid": str(uuid.uuid4()), **item, **kind, "programs": links, **values}
