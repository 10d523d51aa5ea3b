//! `GET /api/v1/catalog`: what tables there are and what their columns mean. Words only, no rows.

use axum::Json;
use serde_json::{Value, json};

use crate::access::Reader;
use crate::error::Problem;

pub(crate) async fn catalog(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("catalog")?;
    let parts = &reader.state.parts;
    let mut tables = Vec::new();
    for table in &parts.catalog.tables {
        let snapshot = parts.lake.snapshot(&table.table).await?;
        let class = table.schema.fields().iter().filter_map(|it| schema::Class::parse(it.metadata().get("class")?)).max();
        let columns: Vec<Value> = table
            .schema
            .fields()
            .iter()
            .map(|it| {
                let word = |key: &str| it.metadata().get(key).cloned();
                json!({ "column": it.name(), "type": it.data_type().to_string(), "about_zh": word(schema::ABOUT_ZH).or_else(|| word("about")), "about_en": word("about"), "unit": word("unit"), "class": word("class") })
            })
            .collect();
        let newest = snapshot.as_ref().and_then(|it| it.files.iter().filter_map(|it| it.partition).max());
        let updated = snapshot.as_ref().and_then(|it| it.files.iter().map(|it| it.modified_ms).max());
        tables.push(json!({
            "table": table.table, "kind": table.kind, "about_zh": table.about_zh, "about_en": table.about_en, "grain": table.grain, "owner": table.owner,
            "class": class.map(schema::Class::as_str), "materialized": table.materialized, "purpose": table.purpose, "inputs": table.inputs,
            "rows_n": snapshot.as_ref().map(lake::Snapshot::rows), "version": snapshot.as_ref().map(|it| it.version),
            "updated_at": updated.and_then(|it| super::health::instant(it * 1000)),
            "fresh_to": newest.and_then(schema::time::days_date).map(|it| it.to_string()),
            "columns": columns,
        }));
    }
    Ok(Json(json!({ "tables": tables, "data_item_n": parts.data_item_n().await? })))
}
