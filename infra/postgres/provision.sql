-- The roles and the schema of one service; applied by the provisioner, once or many times alike.
-- psql variables: schema; owner, runtime, work and seal, and desk if has_desk is true, each with its
-- ..._password; roles, the names of all of these, and log_ins, all but the owner's, with commas.
--
-- The owner role makes and changes tables and is used by migrations alone. The others are the
-- service's log-ins: runtime serves calls, work publishes events, handles those of others and does
-- scheduled work, seal adds entries to the sealed audit log. Each may do what a migration grants it,
-- column by column, and nothing else: it cannot make anything, it is subject to row-level security,
-- and it has no right in any other schema. No log-in may do what would hide another's doing.
--
-- A service with sealed cases has one more, desk: it has the rights of runtime, which it cannot
-- become, and row-level security keeps those cases from it, whatever its session says.

SELECT format('CREATE ROLE %I', name)
FROM unnest(string_to_array(:'roles', ',')) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE :"owner" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 10 PASSWORD :'owner_password';
ALTER ROLE :"runtime" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 30 PASSWORD :'runtime_password';
ALTER ROLE :"work" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 30 PASSWORD :'work_password';
ALTER ROLE :"seal" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 8 PASSWORD :'seal_password';
\if :has_desk
ALTER ROLE :"desk" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 30 PASSWORD :'desk_password';
GRANT :"runtime" TO :"desk" WITH INHERIT TRUE, SET FALSE;
\endif

-- Only a superuser may touch these two attributes, even to take them away.
SELECT format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', name)
FROM unnest(string_to_array(:'roles', ',')) AS name
WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

-- A provisioner that is no superuser (a managed database) must be a member to hand a schema over.
SELECT format('GRANT %I TO CURRENT_USER', :'owner')
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name)
FROM unnest(string_to_array(:'roles', ',')) AS name
\gexec

CREATE SCHEMA IF NOT EXISTS :"schema" AUTHORIZATION :"owner";
REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC;
GRANT USAGE ON SCHEMA :"schema" TO :"runtime", :"work", :"seal";

-- PostgreSQL lets everybody execute new functions and use new types unless told otherwise.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE ALL ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE ALL ON TABLES FROM PUBLIC;

ALTER ROLE :"owner" SET search_path TO :"schema";
ALTER ROLE :"owner" SET statement_timeout TO '60s';
ALTER ROLE :"owner" SET lock_timeout TO '5s';

SELECT format('ALTER ROLE %I SET %s TO %L', name, setting, value)
FROM unnest(string_to_array(:'log_ins', ',')) AS name,
    (VALUES
        ('search_path', :'schema'),
        ('statement_timeout', '5s'),
        ('lock_timeout', '2s'),
        ('idle_in_transaction_session_timeout', '5s'),
        -- Above the others: it ends the connection and not only the statement.
        ('transaction_timeout', '15s')
    ) AS settings (setting, value)
\gexec
