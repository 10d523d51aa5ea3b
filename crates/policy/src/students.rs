//! A set of students, as a thing to ask and as a function in a plan.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{HashSet, Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit};

/// Below so many keys the scan is told the keys themselves, which prunes files and pages; above, only a hash set is
/// asked. The engine turns lists no longer than this into pruning predicates.
const LISTED_MAX: usize = 20;

/// Keys of students, each once.
#[derive(Clone)]
pub struct KeySet {
    sorted: Vec<i64>,
    hashed: HashSet<i64>,
    digest: [u8; 32],
}

impl KeySet {
    /// A set of the keys given, in any order and with repetitions.
    pub fn new(mut keys: Vec<i64>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        let mut hasher = blake3::Hasher::new();
        for key in &keys {
            hasher.update(&key.to_le_bytes());
        }
        Self { hashed: keys.iter().copied().collect(), digest: *hasher.finalize().as_bytes(), sorted: keys }
    }

    /// Says whether a student is in the set.
    pub fn contains(&self, student_key: i64) -> bool {
        self.hashed.contains(&student_key)
    }

    /// The keys in ascending order.
    pub fn keys(&self) -> &[i64] {
        &self.sorted
    }

    /// Keys that are in both sets.
    pub(crate) fn intersect(&self, other: &KeySet) -> KeySet {
        KeySet::new(self.sorted.iter().copied().filter(|it| other.contains(*it)).collect())
    }

    /// A fingerprint of the keys, for cache keys.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl fmt::Debug for KeySet {
    /// Never the keys: this ends up in plans and logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} students", self.sorted.len())
    }
}

/// The students a principal reaches.
#[derive(Debug, Clone)]
pub enum Scoped {
    /// Every student.
    All,
    /// Every student but these.
    AllBut(Arc<KeySet>),
    /// These.
    Keys(Arc<KeySet>),
}

impl Scoped {
    /// Nobody.
    pub fn nobody() -> Self {
        Scoped::Keys(Arc::new(KeySet::new(Vec::new())))
    }

    /// Says whether a student is reached.
    pub fn contains(&self, student_key: i64) -> bool {
        match self {
            Scoped::All => true,
            Scoped::AllBut(keys) => !keys.contains(student_key),
            Scoped::Keys(keys) => keys.contains(student_key),
        }
    }

    /// Students that both reach.
    pub(crate) fn intersect(self, other: Scoped) -> Scoped {
        match (self, other) {
            (Scoped::All, it) | (it, Scoped::All) => it,
            (Scoped::Keys(one), Scoped::Keys(two)) => Scoped::Keys(Arc::new(one.intersect(&two))),
            (it, Scoped::AllBut(keys)) | (Scoped::AllBut(keys), it) => it.without(keys.keys()),
        }
    }

    /// The same without some students, whatever scopes say.
    pub(crate) fn without(self, withheld: &[i64]) -> Scoped {
        if withheld.is_empty() {
            return self;
        }
        match self {
            Scoped::All => Scoped::AllBut(Arc::new(KeySet::new(withheld.to_vec()))),
            Scoped::AllBut(keys) => Scoped::AllBut(Arc::new(KeySet::new([keys.keys(), withheld].concat()))),
            Scoped::Keys(keys) => {
                let left = keys.keys().iter().copied().filter(|it| !withheld.contains(it));
                Scoped::Keys(Arc::new(KeySet::new(left.collect())))
            }
        }
    }

    /// The row filter: true for rows about a student who is reached. A row about nobody is not shown.
    pub(crate) fn predicate(&self, subject: Expr) -> Expr {
        match self {
            Scoped::All => subject.is_not_null(),
            // Written out: they are few, and a list in SQL is false for nobody's rows as well.
            Scoped::AllBut(keys) => subject.in_list(keys.sorted.iter().map(|it| lit(*it)).collect(), true),
            Scoped::Keys(keys) if keys.sorted.len() <= LISTED_MAX => match keys.sorted.as_slice() {
                [] => lit(false),
                [only] => subject.eq(lit(*only)),
                several => subject.in_list(several.iter().map(|it| lit(*it)).collect(), false),
            },
            Scoped::Keys(keys) => {
                let reaches = ScalarUDF::new_from_impl(InScope {
                    signature: Signature::exact(vec![DataType::Int64], Volatility::Immutable),
                    keys: Arc::clone(keys),
                });
                let (first, last) = (keys.sorted[0], keys.sorted[keys.sorted.len() - 1]);
                subject.clone().between(lit(first), lit(last)).and(reaches.call(vec![subject]))
            }
        }
    }
}

/// Membership as a function: a list of thousands of literals would be planned, printed and compared one by one.
#[derive(Debug)]
struct InScope {
    signature: Signature,
    keys: Arc<KeySet>,
}

impl PartialEq for InScope {
    fn eq(&self, other: &Self) -> bool {
        self.keys.digest == other.keys.digest
    }
}

impl Eq for InScope {}

impl std::hash::Hash for InScope {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.keys.digest.hash(state);
    }
}

impl ScalarUDFImpl for InScope {
    fn name(&self) -> &str {
        "in_scope"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let subjects = args.args[0].to_array(args.number_rows)?;
        let Some(subjects) = subjects.as_primitive_opt::<Int64Type>() else {
            return exec_err!("a subject is a 64-bit key, not {}", subjects.data_type());
        };
        // NULL is in no scope: the answer is false and not NULL, so that no negation can turn it round.
        let reached: BooleanArray = subjects.iter().map(|it| Some(it.is_some_and(|it| self.keys.contains(it)))).collect();
        Ok(ColumnarValue::Array(std::sync::Arc::new(reached)))
    }
}
