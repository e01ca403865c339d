"""Whose token it is: a role, and whose data it may see. Nothing else about a visitor is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who looks."""

    OPERATOR = "operator"  # everything
    BUILDER = "builder"  # its own tenants, earnings and payouts
    TENANT = "tenant"  # its own statements and usage: what others get for it is not its business


@dataclass(frozen=True, slots=True)
class Access:
    """What a token opens."""

    role: Role
    builder: str = ""
    tenant: str = ""
    token_id: str = ""
    label: str = ""

    @property
    def is_operator(self) -> bool:
        """Sees all Builders."""
        return self.role is Role.OPERATOR

    @property
    def is_tenant(self) -> bool:
        """Sees charges, and not how they are split."""
        return self.role is Role.TENANT

    def owns(self, builder: str, tenant: str = "") -> bool:
        """Whether anything of this Builder, or of this tenant of it, may be there for this token."""
        if self.is_operator:
            return True
        return builder == self.builder and (not self.is_tenant or tenant == self.tenant)

    @property
    def words(self) -> str:
        """Who is logged in, for the page."""
        if self.is_operator:
            return "Operator"
        return f"Tenant {self.tenant} of {self.builder}" if self.is_tenant else f"Builder {self.builder}"
