//! Whether a valid approval covers a source today, for the wizard's last step.

use arrow::array::{Array, AsArray};

use crate::house::House;

/// The register of approvals, which itself needs none.
const REGISTER: &str = "data_use_approval";

/// The number of an approval of a source's use that is valid today, from the newest export of the register; `None` without.
pub(crate) async fn approved(house: &House, name: &str) -> anyhow::Result<Option<String>> {
    if name == REGISTER {
        return Ok(Some(String::new()));
    }
    let Some(register) = house.project.pipelines.iter().find(|it| it.name() == REGISTER) else { return Ok(None) };
    let Some(table) = house.engine.table(&register.raw_table()).await? else { return Ok(None) };
    let context = house.engine.context();
    context.register_table("register", table)?;
    let today = house.clock().moment(house.now_us()).occurred_on;
    let today = schema::time::days_date(today).unwrap_or_default();
    // A name is a snake_case word by the time it gets here; the quotes are doubled nevertheless.
    let query = format!(
        "SELECT doc_no FROM register WHERE source = '{}' AND valid_from <= DATE '{today}' AND DATE '{today}' <= valid_to \
         AND file_no = (SELECT max(file_no) FROM register) ORDER BY doc_no LIMIT 1",
        name.replace('\'', "''")
    );
    let batches = context.sql(&query).await?.collect().await?;
    let found = batches.iter().find(|it| 0 < it.num_rows()).map(|it| {
        let column = arrow::compute::cast(it.column(0), &arrow::datatypes::DataType::Utf8)?;
        let texts = column.as_string::<i32>();
        Ok::<_, arrow::error::ArrowError>(if texts.is_null(0) { String::new() } else { texts.value(0).to_owned() })
    });
    Ok(found.transpose()?)
}
