//! Messages of PostgreSQL's logical replication: what `pgoutput` writes in version 1 of its protocol.

/// One message. Positions in the server's log are whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'a> {
    /// A transaction that was committed; its changes follow.
    Begin {
        /// Where its commit begins in the server's log: known before any of its changes, and greater with every commit.
        commit_lsn: i64,
        /// The lower half of its number.
        xid: u32,
    },
    /// The end of a transaction.
    Commit {
        /// Behind its commit.
        end_lsn: i64,
    },
    /// How the rows of a table are written from here on.
    Relation(Relation),
    /// A new row.
    Insert {
        /// Number of its table.
        relation: u32,
        /// Its values.
        new: Vec<Datum<'a>>,
    },
    /// A changed row.
    Update {
        /// Number of its table.
        relation: u32,
        /// The whole row as it was, if the table's replica identity is full.
        old: Option<Vec<Datum<'a>>>,
        /// Whether its key was another one before.
        has_new_key: bool,
        /// Its values.
        new: Vec<Datum<'a>>,
    },
    /// A row that is no longer there.
    Delete {
        /// Number of its table.
        relation: u32,
    },
    /// Tables that were emptied.
    Truncate {
        /// Their numbers.
        relations: Vec<u32>,
    },
    /// Types, origins, messages of applications: nothing of a row.
    Other,
}

/// A table as its messages are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Number by which its changes name it.
    pub id: u32,
    /// Name of its schema.
    pub schema: String,
    /// Its own name.
    pub name: String,
    /// Names of its columns and the numbers of their types.
    pub columns: Vec<(String, u32)>,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datum<'a> {
    /// NULL.
    Null,
    /// A long value that did not change, so that the server does not send it.
    Unchanged,
    /// As the type writes itself.
    Text(&'a [u8]),
}

/// Reads a message; `None` if it is not written as the protocol says.
pub fn change(message: &[u8]) -> Option<Change<'_>> {
    let mut rest = Rest(message);
    let change = match rest.byte()? {
        b'B' => {
            let commit_lsn = rest.long()?;
            rest.long()?;
            Change::Begin { commit_lsn, xid: rest.word()? }
        }
        b'C' => {
            rest.byte()?;
            rest.long()?;
            let end_lsn = rest.long()?;
            rest.long()?;
            Change::Commit { end_lsn }
        }
        b'R' => {
            let (id, schema, name) = (rest.word()?, rest.text()?, rest.text()?);
            rest.byte()?;
            let mut columns = Vec::new();
            for _ in 0..rest.short()? {
                rest.byte()?;
                let column = rest.text()?;
                columns.push((column, rest.word()?));
                rest.word()?;
            }
            Change::Relation(Relation { id, schema, name, columns })
        }
        b'I' => {
            let relation = rest.word()?;
            Change::Insert { relation, new: rest.row_after(b'N')? }
        }
        b'U' => {
            let relation = rest.word()?;
            let (mut old, mut has_new_key) = (None, false);
            match rest.0.first()? {
                b'O' => old = Some(rest.row_after(b'O')?),
                b'K' => {
                    rest.row_after(b'K')?;
                    has_new_key = true;
                }
                _ => {}
            }
            Change::Update { relation, old, has_new_key, new: rest.row_after(b'N')? }
        }
        b'D' => {
            let relation = rest.word()?;
            let kind = *rest.0.first().filter(|it| matches!(it, b'K' | b'O'))?;
            rest.row_after(kind)?;
            Change::Delete { relation }
        }
        b'T' => {
            let n = rest.word()?;
            rest.byte()?;
            Change::Truncate { relations: (0..n).map(|_| rest.word()).collect::<Option<_>>()? }
        }
        b'Y' | b'O' | b'M' => return Some(Change::Other),
        _ => return None,
    };
    rest.0.is_empty().then_some(change)
}

/// What is left of a message.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|it| it[0])
    }

    fn short(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn word(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn long(&mut self) -> Option<i64> {
        self.take(8)?.try_into().ok().map(i64::from_be_bytes)
    }

    /// A text that ends with a zero.
    fn text(&mut self) -> Option<String> {
        let end = memchr::memchr(0, self.0)?;
        let text = std::str::from_utf8(self.take(end)?).ok()?.to_owned();
        self.take(1)?;
        Some(text)
    }

    /// A row behind the letter that says which one it is.
    fn row_after(&mut self, letter: u8) -> Option<Vec<Datum<'a>>> {
        if self.byte()? != letter {
            return None;
        }
        let n = self.short()?;
        (0..n).map(|_| self.datum()).collect()
    }

    fn datum(&mut self) -> Option<Datum<'a>> {
        match self.byte()? {
            b'n' => Some(Datum::Null),
            b'u' => Some(Datum::Unchanged),
            b't' => {
                let length = usize::try_from(self.word()?).ok()?;
                self.take(length).map(Datum::Text)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &[u8], expected: Option<Change<'_>>) {
        assert_eq!(change(message), expected, "{}", String::from_utf8_lossy(message));
    }

    // Bytes as PostgreSQL 15 wrote them.
    const BEGIN: &[u8] = b"B\0\0\0\0\x01R\xef\0\0\x03\x03\xdc\x0e\x9cJ\x04\0\0\x02\xd8";
    const COMMIT: &[u8] = b"C\0\0\0\0\0\x01R\xef\0\0\0\0\0\x01R\xef0\0\x03\x03\xdc\x0e\x9cJ\x04";

    #[test]
    fn a_transaction_says_where_its_commit_is() {
        check(BEGIN, Some(Change::Begin { commit_lsn: 0x0152_EF00, xid: 728 }));
        check(COMMIT, Some(Change::Commit { end_lsn: 0x0152_EF30 }));
    }

    #[test]
    fn a_table_says_how_its_rows_are_written() {
        let message = b"R\0\0@\x02public\0t\0d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0b\0\0\0\0\x10\xff\xff\xff\xff";
        let columns = vec![("id".to_owned(), 23), ("b".to_owned(), 16)];
        let expected = Relation { id: 0x4002, schema: "public".to_owned(), name: "t".to_owned(), columns };
        check(message, Some(Change::Relation(expected)));
    }

    #[test]
    fn rows_are_new_changed_or_gone() {
        let row = [Datum::Text(b"1"), Datum::Null, Datum::Unchanged];
        check(b"I\0\0@\x02N\0\x02t\0\0\0\x011n", Some(Change::Insert { relation: 0x4002, new: row[..2].to_vec() }));
        let update = |old: Option<Vec<Datum<'static>>>, has_new_key: bool| {
            Some(Change::Update { relation: 0x4002, old, has_new_key, new: row.to_vec() })
        };
        check(b"U\0\0@\x02N\0\x03t\0\0\0\x011nu", update(None, false));
        check(b"U\0\0@\x02K\0\x01t\0\0\0\x017N\0\x03t\0\0\0\x011nu", update(None, true));
        check(b"U\0\0@\x02O\0\x01t\0\0\0\x017N\0\x03t\0\0\0\x011nu", update(Some(vec![Datum::Text(b"7")]), false));
        check(b"D\0\0@\x02K\0\x01t\0\0\0\x017", Some(Change::Delete { relation: 0x4002 }));
        check(b"T\0\0\0\x02\0\0\0@\x02\0\0@\x03", Some(Change::Truncate { relations: vec![0x4002, 0x4003] }));
    }

    #[test]
    fn what_is_nothing_of_a_row_is_passed_over_and_what_is_cut_is_none() {
        check(b"Y\0\0@\x01\0bool\0", Some(Change::Other));
        check(b"M\0\0\0\0\0\0\0\0\0yizhan\0\0\0\0\0", Some(Change::Other));
        for cut in 0..BEGIN.len() {
            check(&BEGIN[..cut], None);
        }
        check(b"I\0\0@\x02N\0\x02t\0\0\0\x011", None);
        check(b"I\0\0@\x02N\0\x01t\0\0\0\x0912", None);
        check(b"D\0\0@\x02N\0\x00", None);
        check(b"C\0\0\0\0\0\x01R\xef\0\0\0\0\0\x01R\xef0\0\x03\x03\xdc\x0e\x9cJ\x04more", None);
        check(b"?", None);
    }
}
