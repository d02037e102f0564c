"""Django admin: the catalog, the shared program records, the credit requests and what staff do with them."""

from .catalog import PathwayAdmin, ProgramAdmin
from .credit_requests import UserCreditPathwayAdmin
from .shared_records import ProgramCertRecordAdmin

__all__ = ["PathwayAdmin", "ProgramAdmin", "ProgramCertRecordAdmin", "UserCreditPathwayAdmin"]
