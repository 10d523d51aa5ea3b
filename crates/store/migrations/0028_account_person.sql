-- Whose account it is: looked up for everybody who took a message on, and when somebody has died. By name, for the first one greets.
CREATE INDEX account_person ON account (person_key, account) WHERE person_key IS NOT NULL;
