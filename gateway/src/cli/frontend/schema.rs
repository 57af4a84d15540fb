//! `turnout frontend schema`: the SDL of what a version sees, for code generators and editors.

use serde_json::json;

use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::output;

pub(super) async fn run(name: &str, admin: &AdminArgs) -> Result<(), Failure> {
    let question = "query($name: String!) { frontendSchema(name: $name) }";
    let answer = admin.ask(question, json!({ "name": name })).await?;
    match answer["frontendSchema"].as_str() {
        Some(text) => output::print(text),
        None => {
            return Err(Failure::Finding(format!(
                "{name} is not published, or it sees nothing now; `turnout frontend show {name}` says which."
            )));
        }
    }
    Ok(())
}
