-- Triggers are the one thing SQLite and PostgreSQL spell differently, so they stand outside the migrations and are
-- put back at every opening.

CREATE TRIGGER IF NOT EXISTS audit_event_no_update BEFORE UPDATE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit_event is append-only');
END;

CREATE TRIGGER IF NOT EXISTS audit_event_no_delete BEFORE DELETE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit_event is append-only');
END;

CREATE TRIGGER IF NOT EXISTS case_event_no_update BEFORE UPDATE ON case_event
BEGIN
    SELECT RAISE(ABORT, 'case_event is append-only');
END;

CREATE TRIGGER IF NOT EXISTS case_event_no_delete BEFORE DELETE ON case_event
BEGIN
    SELECT RAISE(ABORT, 'case_event is append-only');
END;

CREATE TRIGGER IF NOT EXISTS absence_check_no_update BEFORE UPDATE ON absence_check
BEGIN
    SELECT RAISE(ABORT, 'absence_check is append-only');
END;

CREATE TRIGGER IF NOT EXISTS absence_check_no_delete BEFORE DELETE ON absence_check
BEGIN
    SELECT RAISE(ABORT, 'absence_check is append-only');
END;

CREATE TRIGGER IF NOT EXISTS talk_hours_no_update BEFORE UPDATE ON talk_hours
BEGIN
    SELECT RAISE(ABORT, 'talk_hours is append-only');
END;

CREATE TRIGGER IF NOT EXISTS talk_hours_no_delete BEFORE DELETE ON talk_hours
BEGIN
    SELECT RAISE(ABORT, 'talk_hours is append-only');
END;

CREATE TRIGGER IF NOT EXISTS case_record_no_update BEFORE UPDATE ON case_record
BEGIN
    SELECT RAISE(ABORT, 'case_record is append-only');
END;

CREATE TRIGGER IF NOT EXISTS case_record_no_delete BEFORE DELETE ON case_record
BEGIN
    SELECT RAISE(ABORT, 'case_record is append-only');
END;
