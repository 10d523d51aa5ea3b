-- To whom alone a message goes: a keeper, or a counselor on duty, hears once a night that the list of tonight is complete. Whom the
-- list is about, and how many they are, stands nowhere here. That somebody was told of a night stands in list_told.
ALTER TABLE message ADD COLUMN to_account TEXT;
