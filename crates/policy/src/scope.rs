//! Which students a principal answers for, written as people say it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// A set of students by office, place or duty.
///
/// Written `university`, `college:C01`, `class:软件2301`, `building:N3`, `building:N3/floor:4`, `room:N3-412`,
/// `assigned`, `on_call`, `own`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Every student.
    University,
    /// Students of one college (院系).
    College(String),
    /// Students of one class (班级).
    Class(String),
    /// Students who live in one building.
    Building(String),
    /// Students who live on one floor.
    Floor {
        /// Building of the floor.
        building: String,
        /// Floor as the register writes it.
        floor: String,
    },
    /// Students who live in one room (寝室).
    Room(String),
    /// Students assigned to the principal (所带学生).
    Assigned,
    /// Students whom the principal's shift is about now (值班): of open safety checks and crises.
    OnCall,
    /// The principal as a student.
    Own,
}

/// What a scope may be made of, as roles name it under `grants`.
pub(crate) const KINDS: [&str; 8] = ["university", "college", "class", "building", "room", "assigned", "on_call", "own"];

impl Scope {
    /// Returns what the scope is made of, as roles name it under `grants`.
    pub fn kind(&self) -> &'static str {
        match self {
            Scope::University => "university",
            Scope::College(_) => "college",
            Scope::Class(_) => "class",
            Scope::Building(_) | Scope::Floor { .. } => "building",
            Scope::Room(_) => "room",
            Scope::Assigned => "assigned",
            Scope::OnCall => "on_call",
            Scope::Own => "own",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::University => f.write_str("university"),
            Scope::College(it) => write!(f, "college:{it}"),
            Scope::Class(it) => write!(f, "class:{it}"),
            Scope::Building(it) => write!(f, "building:{it}"),
            Scope::Floor { building, floor } => write!(f, "building:{building}/floor:{floor}"),
            Scope::Room(it) => write!(f, "room:{it}"),
            Scope::Assigned => f.write_str("assigned"),
            Scope::OnCall => f.write_str("on_call"),
            Scope::Own => f.write_str("own"),
        }
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownScope { text: text.to_owned() };
        let named = |it: &str| (!it.is_empty()).then(|| it.to_owned()).ok_or_else(unknown);
        match text.split_once(':') {
            None => match text {
                "university" => Ok(Scope::University),
                "assigned" => Ok(Scope::Assigned),
                "on_call" => Ok(Scope::OnCall),
                "own" => Ok(Scope::Own),
                _ => Err(unknown()),
            },
            Some(("college", it)) => Ok(Scope::College(named(it)?)),
            Some(("class", it)) => Ok(Scope::Class(named(it)?)),
            Some(("room", it)) => Ok(Scope::Room(named(it)?)),
            Some(("building", it)) => match it.split_once("/floor:") {
                Some((building, floor)) => Ok(Scope::Floor { building: named(building)?, floor: named(floor)? }),
                // A slash that is no floor is a slip of the pen, and read as a building it would name no students.
                None if it.contains('/') => Err(unknown()),
                None => Ok(Scope::Building(named(it)?)),
            },
            Some(_) => Err(unknown()),
        }
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_back_as_it_is_written() {
        for text in [
            "university",
            "college:C01",
            "class:软件2301",
            "building:N3",
            "building:N3/floor:4",
            "room:N3-412",
            "assigned",
            "on_call",
            "own",
        ] {
            assert_eq!(text.parse::<Scope>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for text in ["", "all", "college:", "building:N3/4", "building:/floor:4", "room:", "university:1"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
