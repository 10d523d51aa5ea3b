//! How risk models stand: trained or not, offered or not, frozen since when and by what.

use std::collections::BTreeSet;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Date32Type};

use super::rows::{collect, typed};
use super::said::words_of;
use crate::Error;
use crate::build::{Builder, date};

/// How a risk model stands on a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelState {
    /// File in sql/risk.
    pub model: String,
    /// The version that would score; none before the first training.
    pub version: Option<String>,
    /// untrained, offered, not_offered or frozen.
    pub state: &'static str,
    /// First date on which an input had moved too far, where it is frozen.
    pub frozen_on: Option<i32>,
    /// Inputs that had moved too far on that date.
    pub moved: Vec<String>,
    /// Why, in Chinese.
    pub reason_zh: String,
    /// Why, in English.
    pub reason_en: String,
}

impl Builder<'_> {
    /// How every risk model stands on a date.
    ///
    /// # Errors
    /// If the lake cannot be read.
    pub async fn model_states(&self, as_of_on: i32) -> Result<Vec<ModelState>, Error> {
        let mut states = Vec::new();
        if self.graph.risks.is_empty() {
            return Ok(states);
        }
        let context = self.stored_context(&["model_version", "model_drift"]).await?;
        for risk in &self.graph.risks {
            let path = &risk.model.path;
            let Some(version) = self.version_on(&context, risk, as_of_on).await? else {
                states.push(ModelState {
                    model: risk.name().to_owned(),
                    version: None,
                    state: "untrained",
                    frozen_on: None,
                    moved: Vec::new(),
                    reason_zh: "尚未训练。".to_owned(),
                    reason_en: "It has not been trained yet.".to_owned(),
                });
                continue;
            };
            let sql = format!(
                "SELECT as_of_on, input FROM model_drift WHERE model = '{}' AND version = '{}' AND level = 'freeze' AND as_of_on <= {} ORDER BY as_of_on, input",
                risk.name(),
                version.version,
                date(as_of_on)
            );
            let (mut frozen_on, mut moved) = (None, BTreeSet::new());
            for batch in collect(&context, &sql, path).await? {
                let (days, inputs) =
                    (typed(&batch, "as_of_on", DataType::Date32, path)?, typed(&batch, "input", DataType::Utf8, path)?);
                for row in 0..batch.num_rows() {
                    let on = days.as_primitive::<Date32Type>().value(row);
                    if *frozen_on.get_or_insert(on) == on {
                        moved.insert(inputs.as_string::<i32>().value(row).to_owned());
                    }
                }
            }
            let titles = |it: &String| match risk.inputs.iter().find(|input| input.name == *it) {
                Some(input) => words_of(input, &self.graph.measures),
                None => (it.clone(), it.clone(), String::new()),
            };
            let (state, reason) = match frozen_on {
                Some(on) => {
                    let (zh, en): (Vec<String>, Vec<String>) = moved.iter().map(titles).map(|it| (it.0, it.1)).unzip();
                    let since = schema::time::days_date(on).map(|it| it.to_string()).unwrap_or_default();
                    ("frozen", warning::frozen(&since, &zh, &en))
                }
                None if version.is_offered => ("offered", (version.reason_zh, version.reason_en)),
                None => ("not_offered", (version.reason_zh, version.reason_en)),
            };
            states.push(ModelState {
                model: risk.name().to_owned(),
                version: Some(version.version),
                state,
                frozen_on,
                moved: moved.into_iter().collect(),
                reason_zh: reason.0,
                reason_en: reason.1,
            });
        }
        Ok(states)
    }
}
