//! From scopes to the keys of students.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{Error, KeySet, Principal, Role, Scope, Scoped, TableEntry, Tables};

/// Says which students a principal reaches.
#[async_trait]
pub trait ScopeResolver: Send + Sync {
    /// The students that both the role's scopes and the principal's own reach.
    ///
    /// # Errors
    /// If the person table cannot answer; never an answer that is too wide.
    async fn students(&self, role: &Role, principal: &Principal) -> Result<Scoped, Error>;
}

/// Where the person table keeps what scopes speak of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Register {
    /// The table of students.
    pub table: String,
    /// Column with the student's key.
    pub student_key: String,
    /// Column with the key of the counselor a student is assigned to.
    pub counselor_key: String,
    /// Column with the college.
    pub college: String,
    /// Column with the class.
    pub class: String,
    /// Column with the building.
    pub building: String,
    /// Column with the floor.
    pub floor: String,
    /// Column with the room.
    pub room: String,
}

impl Default for Register {
    fn default() -> Self {
        Self {
            table: "dim_student".to_owned(),
            student_key: "student_key".to_owned(),
            counselor_key: "counselor_key".to_owned(),
            college: "college".to_owned(),
            class: "class".to_owned(),
            building: "building_id".to_owned(),
            floor: "floor".to_owned(),
            room: "room_id".to_owned(),
        }
    }
}

/// Resolves scopes by asking the person table, as the system, and remembers the answer for the table's version.
pub struct StudentScopes {
    register: Register,
    tables: Arc<dyn Tables>,
    runtime: Arc<RuntimeEnv>,
    remembered: Mutex<HashMap<Asked, (i64, Arc<KeySet>)>>,
}

/// What an answer depends on besides the table's version.
type Asked = (Scope, Option<i64>);

/// Answers remembered at most; beyond it they are forgotten together, which costs one query each.
const REMEMBERED_MAX: usize = 4_096;

impl StudentScopes {
    /// A resolver over the tables of the lake.
    pub fn new(register: Register, tables: Arc<dyn Tables>, runtime: Arc<RuntimeEnv>) -> Self {
        Self { register, tables, runtime, remembered: Mutex::default() }
    }

    async fn reached(&self, scopes: &[Scope], principal: &Principal) -> Result<Scoped, Error> {
        let person_key = principal.person_key;
        if scopes.contains(&Scope::University) {
            return Ok(Scoped::All);
        }
        let mut keys = Vec::new();
        let mut register = None;
        for scope in scopes {
            match scope {
                // A student's own key is known without the register, which may not have the newest student yet.
                Scope::Own => keys.extend(person_key),
                Scope::OnCall => keys.extend(&principal.on_call),
                scope => {
                    if register.is_none() {
                        register = Some(self.open().await?);
                    }
                    // A lake without a register reaches nobody.
                    if let Some(Some(entry)) = &register {
                        keys.extend(self.asked(entry, scope, person_key).await?.keys());
                    }
                }
            }
        }
        Ok(Scoped::Keys(Arc::new(KeySet::new(keys))))
    }

    async fn open(&self) -> Result<Option<TableEntry>, Error> {
        let table = &self.register.table;
        self.tables.table(table).await.map_err(|source| Error::Tables { table: table.clone(), source })
    }

    async fn asked(&self, entry: &TableEntry, scope: &Scope, person_key: Option<i64>) -> Result<Arc<KeySet>, Error> {
        // Only `assigned` depends on who asks; the others are shared by everybody.
        let asked = (scope.clone(), person_key.filter(|_| *scope == Scope::Assigned));
        if let Some((version, keys)) = self.remembered().get(&asked)
            && *version == entry.version
        {
            return Ok(Arc::clone(keys));
        }
        let Some(condition) = self.condition(scope, person_key) else { return Ok(Arc::new(KeySet::new(Vec::new()))) };
        let keys = self.query(entry, condition).await.map_err(|source| Error::Unresolved {
            table: self.register.table.clone(),
            scope: scope.to_string(),
            source: Box::new(source),
        })?;
        let keys = Arc::new(KeySet::new(keys));
        let mut remembered = self.remembered();
        if REMEMBERED_MAX <= remembered.len() {
            remembered.clear();
        }
        remembered.insert(asked, (entry.version, Arc::clone(&keys)));
        Ok(keys)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<Asked, (i64, Arc<KeySet>)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of the register that a scope means; `None` if it can mean nobody.
    fn condition(&self, scope: &Scope, person_key: Option<i64>) -> Option<Expr> {
        // Registers write buildings and floors as text or as numbers; the scope is text.
        let is = |column: &str, value: &str| cast(ident(column), DataType::Utf8).eq(lit(value));
        let register = &self.register;
        match scope {
            Scope::University => Some(lit(true)),
            Scope::College(it) => Some(is(&register.college, it)),
            Scope::Class(it) => Some(is(&register.class, it)),
            Scope::Building(it) => Some(is(&register.building, it)),
            Scope::Floor { building, floor } => Some(is(&register.building, building).and(is(&register.floor, floor))),
            Scope::Room(it) => Some(is(&register.room, it)),
            Scope::Assigned => Some(ident(&register.counselor_key).eq(lit(person_key?))),
            Scope::Own => Some(ident(&register.student_key).eq(lit(person_key?))),
            // Shifts stand in no register.
            Scope::OnCall => None,
        }
    }

    async fn query(&self, entry: &TableEntry, condition: Expr) -> Result<Vec<i64>, DataFusionError> {
        let system = SessionContext::new_with_config_rt(SessionConfig::new(), Arc::clone(&self.runtime));
        let student_key = ident(&self.register.student_key);
        let batches = system
            .read_table(Arc::clone(&entry.provider))?
            .filter(condition)?
            .select(vec![cast(student_key, DataType::Int64).alias("student_key")])?
            .collect()
            .await?;
        Ok(batches.iter().flat_map(|it| it.column(0).as_primitive::<Int64Type>().iter().flatten()).collect())
    }
}

#[async_trait]
impl ScopeResolver for StudentScopes {
    async fn students(&self, role: &Role, principal: &Principal) -> Result<Scoped, Error> {
        let taken: Vec<Scope> = principal.scopes.iter().filter(|it| role.takes(it)).cloned().collect();
        if taken.is_empty() && !(principal.scopes.is_empty() && role.grants.is_empty()) {
            return Ok(Scoped::nobody());
        }
        let ceiling = self.reached(&role.scopes, principal).await?;
        if taken.is_empty() {
            return Ok(ceiling);
        }
        Ok(ceiling.intersect(self.reached(&taken, principal).await?))
    }
}
