BODY_TOO_LARGE = The body is too large.
BODY_TOO_SLOW = The body took too long to arrive.
IF_MATCH_REQUIRED = Send the ETag of the camera that you read in the header If-Match.
ISSUER_AWAY = The token issuer does not answer. Try again shortly.
ISSUER_NOT_DEVELOPMENT = This token issuer is not the development one; sign in with it directly.
OPERATOR_UNKNOWN = The development issuer knows no such operator.
TICKET_SPENT = This ticket was used, is too old, or never existed. Ask for a new one.
