PARTNER_CHANGED_MEANWHILE = This partner was changed since it was read. Read it again.
PARTNER_EXISTS = There is a partner of this name already; change it instead.
PARTNER_NOT_FOUND = There is no partner of this name.
PARTNER_REVOKED = This partner's access was revoked. Ask those who run the system.
PARTNER_UNKNOWN = The certificate is valid, but no partner of its name is registered here. Ask those who run the system.
REPORT_KIND_NOT_ALLOWED = This partner may not hand in reports of this kind.
SCOPE_MISSING = This partner may not do this: the scope that it needs was not given to it.
