//! What a session can name: the secured tables of one role, and the schema that describes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};

use crate::masking::Masking;
use crate::secured::{Reach, SecuredTable};
use crate::{Error, Role, Tables};

/// Name of the only catalog.
pub const CATALOG: &str = "lake";
/// Name of the schema with the tables.
pub const SCHEMA: &str = "public";

/// The tables of one session. A table is secured when it is first named, and pinned from then on.
pub(crate) struct SecuredTables {
    role: Arc<Role>,
    reach: Reach,
    tables: Arc<dyn Tables>,
    masking: Arc<Masking>,
    names: Vec<String>,
    pinned: Mutex<HashMap<String, Option<Arc<SecuredTable>>>>,
}

impl SecuredTables {
    /// The tables for which a role has a rule.
    pub(crate) fn new(role: Arc<Role>, reach: Reach, tables: Arc<dyn Tables>, masking: Arc<Masking>) -> Result<Arc<Self>, Error> {
        let mut names = tables.names().map_err(|source| Error::Tables { table: "*".to_owned(), source })?;
        names.retain(|it| role.rule(it).is_some());
        names.sort();
        names.dedup();
        Ok(Arc::new(Self { role, reach, tables, masking, names, pinned: Mutex::default() }))
    }

    /// Names of tables that may exist for the session.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// A secured table; `None` if it does not exist for the session.
    pub(crate) async fn secured(&self, name: &str) -> Result<Option<Arc<SecuredTable>>, Error> {
        // Asked before the lake is: a table that the role may not know of costs as long as one that is not there.
        if self.names.binary_search_by(|it| it.as_str().cmp(name)).is_err() {
            return Ok(None);
        }
        if let Some(table) = self.pinned().get(name) {
            return Ok(table.clone());
        }
        let opened = self.tables.table(name).await.map_err(|source| Error::Tables { table: name.to_owned(), source })?;
        let secured = opened
            .and_then(|entry| SecuredTable::new(&self.role, &self.reach, name, entry, Arc::clone(&self.masking)).map(Arc::new));
        // Two who ask at once must get the same version, so the first to come stays.
        Ok(self.pinned().entry(name.to_owned()).or_insert(secured).clone())
    }

    fn pinned(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Arc<SecuredTable>>>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SecuredTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecuredTables").field("role", &self.role.role).finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for SecuredTables {
    fn table_names(&self) -> Vec<String> {
        self.names.clone()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        // Wrapped so that the words of the lake, which name paths, are never taken for the planner's.
        let table = self.secured(name).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(table.map(|it| it as Arc<dyn TableProvider>))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.names.iter().any(|it| it == name)
    }
}

/// The catalog of a session: one schema of secured tables, and `information_schema` made of the same.
#[derive(Debug, Clone)]
pub(crate) struct LakeCatalog(pub(crate) Arc<SecuredTables>);

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            SCHEMA => Some(Arc::clone(&self.0) as Arc<dyn SchemaProvider>),
            INFORMATION_SCHEMA => Some(Arc::new(Described::new(self.clone()))),
            _ => None,
        }
    }
}

impl CatalogProviderList for LakeCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

/// `information_schema` without the engine's settings, which name folders of the server.
#[derive(Debug)]
struct Described(InformationSchemaProvider);

/// Table of the engine's settings.
const SETTINGS: &str = "df_settings";

impl Described {
    fn new(catalog: LakeCatalog) -> Self {
        Self(InformationSchemaProvider::new(Arc::new(catalog)))
    }
}

#[async_trait]
impl SchemaProvider for Described {
    fn table_names(&self) -> Vec<String> {
        self.0.table_names().into_iter().filter(|it| it != SETTINGS).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match name {
            SETTINGS => Ok(None),
            name => self.0.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        name != SETTINGS && self.0.table_exist(name)
    }
}
