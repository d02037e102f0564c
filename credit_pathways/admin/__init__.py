"""Django admin: the catalog, shared program records, and credit requests with their deliveries, export and report."""

from .catalog import PathwayAdmin, ProgramAdmin
from .credit_requests import UserCreditPathwayAdmin
from .shared_records import ProgramCertRecordAdmin

__all__ = ["PathwayAdmin", "ProgramAdmin", "ProgramCertRecordAdmin", "UserCreditPathwayAdmin"]
