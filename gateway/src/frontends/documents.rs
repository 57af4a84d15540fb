//! Which operations does a frontend send, by what its build made of them?
//!
//! Three forms are read: a directory of `.graphql` files (each is an operation with its fragments, named after
//! the file), Apollo's manifest of persisted queries, and a plain JSON map from id to text, as Relay, codegen
//! and Hive write it. Whether an operation is valid is not known here.

use serde_json::Value;
use turnout_control::frontend::Document;

/// The most operations of one frontend.
pub const DOCUMENTS_MAX: usize = 1_000;
/// The largest operation.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// All of them together, so that they fit into one record.
pub const DOCUMENTS_BYTES_MAX: usize = 384 << 10;
/// The longest id.
const ID_BYTES_MAX: usize = 256;

/// Reads a manifest of persisted documents.
pub fn from_json(text: &str) -> Result<Vec<Document>, Vec<String>> {
    let value: Value = serde_json::from_str(text).map_err(|error| vec![format!("it is no JSON: {error}")])?;
    let Value::Object(fields) = value else {
        return Err(vec!["it is no manifest of persisted documents: it must be an object".to_owned()]);
    };
    let (mut documents, mut wrong) = (Vec::new(), Vec::new());
    match fields.get("operations") {
        Some(Value::Array(operations)) => {
            let known = ["apollo-persisted-query-manifest"];
            let format = fields.get("format").and_then(Value::as_str);
            if format.is_some_and(|format| !known.contains(&format)) {
                wrong.push(format!(
                    "its format is {:?}, and \"{}\" is known",
                    format.unwrap_or_default(),
                    known[0]
                ));
            }
            for (at, operation) in operations.iter().enumerate() {
                let field = |name: &str| operation.get(name).and_then(Value::as_str).map(str::to_owned);
                match (field("id"), field("body")) {
                    (Some(id), Some(text)) => documents.push(Document { id, text }),
                    (None, _) => wrong.push(format!("operations[{at}] has no \"id\"")),
                    (_, None) => wrong.push(format!("operations[{at}] has no \"body\"")),
                }
            }
        }
        _ => {
            for (id, text) in fields {
                match text {
                    Value::String(text) => documents.push(Document { id, text }),
                    _ => wrong.push(format!("{id:?} has no text")),
                }
            }
        }
    }
    wrong.extend(measure(&documents));
    if wrong.is_empty() { Ok(sorted(documents)) } else { Err(wrong) }
}

/// Names the operations of a directory after their files.
pub fn from_files(files: Vec<(String, String)>) -> Result<Vec<Document>, Vec<String>> {
    let document = |(name, text): (String, String)| {
        let id = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        Document { id, text }
    };
    let documents: Vec<Document> = files.into_iter().map(document).collect();
    let wrong = measure(&documents);
    if wrong.is_empty() { Ok(sorted(documents)) } else { Err(wrong) }
}

/// What is too much, or there twice.
pub fn measure(documents: &[Document]) -> Vec<String> {
    let mut wrong = Vec::new();
    if documents.len() > DOCUMENTS_MAX {
        wrong.push(format!("there are {} operations, and {DOCUMENTS_MAX} are allowed", documents.len()));
    }
    let bytes: usize = documents.iter().map(|document| document.text.len() + document.id.len()).sum();
    if bytes > DOCUMENTS_BYTES_MAX {
        wrong.push(format!("all operations have {bytes} bytes, and {DOCUMENTS_BYTES_MAX} are allowed"));
    }
    for Document { id, text } in documents {
        if id.is_empty() || id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
            let shown: String = id.chars().take(40).collect();
            wrong.push(format!("the id {shown:?} must have 1 to {ID_BYTES_MAX} bytes of printable text"));
        }
        if text.len() > DOCUMENT_BYTES_MAX {
            wrong.push(format!(
                "the operation {id:?} has {} bytes, and {DOCUMENT_BYTES_MAX} are allowed",
                text.len()
            ));
        }
    }
    let mut ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    ids.sort_unstable();
    let mut twice: Vec<&str> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    wrong.extend(twice.into_iter().map(|id| format!("the operation {id:?} is there twice")));
    wrong
}

fn sorted(mut documents: Vec<Document>) -> Vec<Document> {
    documents.sort();
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(read: Result<Vec<Document>, Vec<String>>) -> Result<Vec<String>, Vec<String>> {
        read.map(|documents| documents.into_iter().map(|document| document.id).collect())
    }

    #[test]
    fn manifests_of_persisted_documents_are_read() {
        let apollo = r#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[
            {"id":"b","name":"B","type":"query","body":"{ b }"},{"id":"a","name":"A","type":"query","body":"{ a }"}]}"#;
        assert_eq!(ids(from_json(apollo)), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(ids(from_json(r#"{"x":"{ a }","sha256:1":"{ b }"}"#)).map(|ids| ids.len()), Ok(2));
        assert_eq!(ids(from_json("{}")), Ok(Vec::new()));
    }

    #[test]
    fn everything_wrong_with_a_manifest_is_told() {
        let said = |text: &str| from_json(text).unwrap_err().join("; ");
        assert!(said("{").starts_with("it is no JSON: EOF"), "{}", said("{"));
        assert_eq!(said("[]"), "it is no manifest of persisted documents: it must be an object");
        assert_eq!(
            said(r#"{"format":"other","operations":[{"id":"a"},{"body":"x"}]}"#),
            "its format is \"other\", and \"apollo-persisted-query-manifest\" is known; \
             operations[0] has no \"body\"; operations[1] has no \"id\""
        );
        assert_eq!(said(r#"{"a":1,"b":"{ b }"}"#), "\"a\" has no text");
        let twice = r#"{"operations":[{"id":"a","body":"x"},{"id":"a","body":"y"}]}"#;
        assert_eq!(said(twice), "the operation \"a\" is there twice");
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(DOCUMENT_BYTES_MAX + 1));
        assert_eq!(said(&large), "the operation \"a\" has 65537 bytes, and 65536 are allowed");
    }

    #[test]
    fn an_operation_in_a_file_has_the_name_of_the_file() {
        let files =
            vec![("Home.graphql".to_owned(), "{ a }".to_owned()), ("b.gql".to_owned(), "{ b }".to_owned())];
        assert_eq!(ids(from_files(files)), Ok(vec!["Home".to_owned(), "b".to_owned()]));
    }
}
