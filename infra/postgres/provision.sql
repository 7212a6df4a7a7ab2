-- The roles and the schema of one service; applied by the provisioner, once or many times alike.
-- psql variables: schema, owner, runtime, owner_password, runtime_password.
--
-- The owner role makes and changes tables and is used by migrations alone. The runtime role may
-- do what a migration grants it, table by table, and nothing else: it cannot make anything, it is
-- subject to row-level security, and it has no right in any other schema.

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY[:'owner', :'runtime']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE :"owner" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 10 PASSWORD :'owner_password';
ALTER ROLE :"runtime" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 30 PASSWORD :'runtime_password';

-- Only a superuser may touch these two attributes, even to take them away.
SELECT format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', name)
FROM unnest(ARRAY[:'owner', :'runtime']) AS name
WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

-- A provisioner that is no superuser (a managed database) must be a member to hand a schema over.
SELECT format('GRANT %I TO CURRENT_USER', :'owner')
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
\gexec

SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), :'owner', :'runtime')
\gexec

CREATE SCHEMA IF NOT EXISTS :"schema" AUTHORIZATION :"owner";
REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC;
GRANT USAGE ON SCHEMA :"schema" TO :"runtime";

-- PostgreSQL lets everybody execute new functions and use new types unless told otherwise.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE ALL ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE ALL ON TABLES FROM PUBLIC;

ALTER ROLE :"owner" SET search_path TO :"schema";
ALTER ROLE :"owner" SET statement_timeout TO '60s';
ALTER ROLE :"owner" SET lock_timeout TO '5s';

ALTER ROLE :"runtime" SET search_path TO :"schema";
ALTER ROLE :"runtime" SET statement_timeout TO '5s';
ALTER ROLE :"runtime" SET lock_timeout TO '2s';
ALTER ROLE :"runtime" SET idle_in_transaction_session_timeout TO '5s';
-- Above the others: it ends the connection and not only the statement.
ALTER ROLE :"runtime" SET transaction_timeout TO '15s';
