//! The roles of a campus project.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Error, Role};

/// Every role by name. No role, no session.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    roles: BTreeMap<String, Role>,
}

impl Policies {
    /// Reads every `*.toml` of a folder.
    ///
    /// # Errors
    /// If the folder or a file cannot be read, or a file is no policy.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Unreadable { path, source }
        };
        let mut policies = Self::default();
        for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
            let path = entry.map_err(unreadable(folder))?.path();
            if path.extension().is_some_and(|it| it == "toml") {
                let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
                policies.insert(Role::parse(&path, &text)?);
            }
        }
        Ok(policies)
    }

    /// Reads files given as `(path, text)`, later ones replacing earlier ones of the same role.
    ///
    /// # Errors
    /// If a text is no policy.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Result<Self, Error> {
        let mut policies = Self::default();
        for (path, text) in files {
            policies.insert(Role::parse(path, text)?);
        }
        Ok(policies)
    }

    /// Adds a role, replacing one of the same name.
    pub fn insert(&mut self, role: Role) {
        self.roles.insert(role.role.clone(), role);
    }

    /// A role by name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// Every role, by name.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }
}
