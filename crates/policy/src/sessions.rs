//! Opens sessions.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use schema::time::CampusClock;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::audit::{Audit, LogOnly};
use crate::catalog::{CATALOG, LakeCatalog, SCHEMA, SecuredTables};
use crate::masking::Masking;
use crate::resolver::{Register, ScopeResolver, StudentScopes};
use crate::secured::Reach;
use crate::session::{Limits, Session};
use crate::stores::LakeStores;
use crate::{Error, KeySet, Policies, Principal, RowRule, Scope, Scoped, Tables};

/// What bounds sessions, one by one and together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Rows that one query hands out at most; further ones are left out and the answer says so.
    pub rows_max: usize,
    /// Time that one query may take, its rows included.
    pub timeout_ms: u64,
    /// Length of a query's text at most.
    pub sql_bytes_max: usize,
    /// Memory for the queries of all sessions together; beyond it they spill.
    pub memory_bytes: usize,
    /// Disk for what spills.
    pub spill_bytes: u64,
    /// Threads' worth of partitions in a plan; 0 is one a core.
    pub partitions: usize,
    /// Where the person table keeps what scopes speak of.
    pub register: Register,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rows_max: 100_000,
            timeout_ms: 30_000,
            sql_bytes_max: 256 * 1024,
            memory_bytes: 1024 * 1024 * 1024,
            spill_bytes: 8 * 1024 * 1024 * 1024,
            partitions: 0,
            register: Register::default(),
        }
    }
}

/// Functions that sessions know besides the engine's own.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    /// Functions of one row.
    pub scalar: Vec<Arc<ScalarUDF>>,
    /// Aggregates.
    pub aggregate: Vec<Arc<AggregateUDF>>,
    /// Window functions.
    pub window: Vec<Arc<WindowUDF>>,
}

/// What sessions are made of.
pub struct Parts {
    /// The roles.
    pub policies: Policies,
    /// The tables before any policy.
    pub tables: Arc<dyn Tables>,
    /// The campus clock, for masks by day.
    pub clock: CampusClock,
    /// Key of the `hash` mask; whoever has it can tell hashes back.
    pub secret: [u8; 32],
    /// Roots that tables are read from; sessions reach nothing else and write nowhere.
    pub stores: Vec<(Url, Arc<dyn ObjectStore>)>,
    /// Functions of ours.
    pub functions: Functions,
    /// Where queries are written down.
    pub audit: Arc<dyn Audit>,
}

impl Parts {
    /// Parts without stores, functions and audit log of their own.
    pub fn new(policies: Policies, tables: Arc<dyn Tables>, clock: CampusClock, secret: [u8; 32]) -> Self {
        let (stores, functions, audit) = (Vec::new(), Functions::default(), Arc::new(LogOnly));
        Self { policies, tables, clock, secret, stores, functions, audit }
    }
}

/// Opens a session for a principal. One a process: the memory of all queries is counted here.
pub struct Sessions {
    policies: Policies,
    tables: Arc<dyn Tables>,
    resolver: Arc<dyn ScopeResolver>,
    masking: Arc<Masking>,
    secret_digest: [u8; 32],
    template: SessionState,
    limits: Limits,
    audit: Arc<dyn Audit>,
    numbers: Arc<QueryNumbers>,
}

impl Sessions {
    /// Prepares what all sessions share.
    ///
    /// # Errors
    /// If the runtime cannot be made from its settings.
    pub fn new(config: Config, parts: Parts) -> Result<Self, Error> {
        let runtime = runtime(&config, &parts.stores)?;
        let resolver = StudentScopes::new(config.register.clone(), Arc::clone(&parts.tables), Arc::clone(&runtime));
        let limits = Limits {
            rows_max: config.rows_max,
            sql_bytes_max: config.sql_bytes_max,
            timeout: Duration::from_millis(config.timeout_ms),
        };
        Ok(Self {
            policies: parts.policies,
            tables: parts.tables,
            resolver: Arc::new(resolver),
            masking: Masking::new(parts.clock, parts.secret),
            secret_digest: *blake3::hash(&parts.secret).as_bytes(),
            template: template(&config, runtime, parts.functions),
            limits,
            audit: parts.audit,
            numbers: Arc::new(QueryNumbers::new()),
        })
    }

    /// The same with another way from scopes to students.
    pub fn with_resolver(mut self, resolver: Arc<dyn ScopeResolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// The roles that sessions are opened for.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Opens a session: resolves the principal's scopes and names the tables that exist for it.
    ///
    /// # Errors
    /// If the role has no policy or does not read for the purpose, or scopes or tables cannot be read.
    pub async fn open(&self, principal: Principal) -> Result<Session, Error> {
        self.open_without(principal, &[], &[]).await
    }

    /// Opens a session that shows nothing of some students, whatever the scopes say: those who have died; and of others not
    /// in whose company they were: those who take no part in that.
    ///
    /// # Errors
    /// As [`Sessions::open`].
    pub async fn open_without(&self, principal: Principal, withheld: &[i64], left: &[i64]) -> Result<Session, Error> {
        let role = self.policies.role(&principal.role).ok_or_else(|| Error::NoSuchRole { role: principal.role.clone() })?;
        if !role.purposes.is_empty() && !role.purposes.contains(&principal.purpose) {
            return Err(Error::PurposeRefused { role: principal.role, purpose: principal.purpose });
        }
        let role = Arc::new(role.clone());
        let students = self.resolver.students(&role, &principal).await?.without(withheld);
        let clients = students.clone().intersect(Scoped::Keys(Arc::new(KeySet::new(principal.clients.clone()))));
        let left = Arc::new(KeySet::new(left.to_vec()));
        let policy_hash = self.policy_hash(&role, &principal, &students, &left);
        let college = |it: &Scope| match it {
            Scope::College(college) if role.takes(it) => Some(college.clone()),
            _ => None,
        };
        let colleges = principal.scopes.iter().filter_map(college).collect();
        let reach = Reach { students: students.clone(), clients, left, person_key: principal.person_key, colleges };
        let tables = SecuredTables::new(Arc::clone(&role), reach, Arc::clone(&self.tables), Arc::clone(&self.masking))?;
        let state = SessionStateBuilder::new_from_existing(self.template.clone())
            .with_catalog_list(Arc::new(LakeCatalog(Arc::clone(&tables))))
            .build();
        Ok(Session {
            principal,
            role,
            students,
            tables,
            state,
            policy_hash,
            limits: self.limits,
            audit: Arc::clone(&self.audit),
            numbers: Arc::clone(&self.numbers),
        })
    }

    fn policy_hash(&self, role: &crate::Role, principal: &Principal, students: &Scoped, left: &KeySet) -> String {
        let mut hasher = blake3::Hasher::new();
        // Each part begins with its length, so that two parts cannot be read as one.
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(format!("{role:?}").as_bytes());
        part(principal.purpose.as_bytes());
        part(&self.secret_digest);
        match students {
            Scoped::All => part(b"all"),
            Scoped::AllBut(keys) => {
                part(b"all but");
                part(keys.digest());
            }
            Scoped::Keys(keys) => part(keys.digest()),
        }
        part(left.digest());
        // Whose work it is matters only where somebody's own is shown.
        if role.tables.values().any(|it| it.rows == RowRule::Own) {
            part(&principal.person_key.unwrap_or_default().to_le_bytes());
        }
        if role.tables.values().any(|it| it.rows == RowRule::Clients) {
            part(KeySet::new(principal.clients.clone()).digest());
        }
        if role.tables.values().any(|it| it.rows == RowRule::College) {
            for scope in &principal.scopes {
                part(scope.to_string().as_bytes());
            }
        }
        hasher.finalize().to_hex().as_str()[..32].to_owned()
    }
}

fn runtime(config: &Config, roots: &[(Url, Arc<dyn ObjectStore>)]) -> Result<Arc<RuntimeEnv>, Error> {
    let mut stores = LakeStores::default();
    for (root, store) in roots {
        stores.insert(root, Arc::clone(store));
    }
    RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(stores))
        .with_memory_pool(Arc::new(FairSpillPool::new(config.memory_bytes)))
        .with_max_temp_directory_size(config.spill_bytes)
        .build_arc()
        .map_err(|source| Error::Runtime { source: Box::new(source) })
}

/// A state with functions and without tables, file formats and table factories: a COPY or CREATE EXTERNAL TABLE that
/// slipped through everything else would find nothing to work with.
fn template(config: &Config, runtime: Arc<RuntimeEnv>, functions: Functions) -> SessionState {
    let mut session = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        // Ours is in the catalog and leaves the engine's settings out.
        .with_information_schema(false);
    if 0 < config.partitions {
        session = session.with_target_partitions(config.partitions);
    }
    let mut builder = SessionStateBuilder::new()
        .with_config(session)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_file_formats(Vec::new())
        .with_table_factories(HashMap::new());
    builder.scalar_functions().get_or_insert_default().extend(functions.scalar);
    builder.aggregate_functions().get_or_insert_default().extend(functions.aggregate);
    builder.window_functions().get_or_insert_default().extend(functions.window);
    builder.build()
}

/// Gives every query a number that does not repeat, in this process or after a restart.
pub(crate) struct QueryNumbers {
    process: u32,
    last: AtomicU64,
}

impl QueryNumbers {
    fn new() -> Self {
        // The random keys of the standard hasher are the cheapest source of a number that no other process has.
        Self { process: RandomState::new().hash_one(std::process::id()) as u32, last: AtomicU64::new(0) }
    }

    pub(crate) fn next(&self) -> String {
        format!("{:08x}-{}", self.process, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
