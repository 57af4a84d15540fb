//! A Markdown file as scenarios.
//!
//! `# title` begins one. Then, each with a fenced block below it:
//! `## Service NAME VERSION` its proto; `## Settings` lines of `path: value`;
//! `## Reply package.Service/Method`, for requests that contain the JSON of `when` on the heading's line if
//! there is any: the response as JSON, or in a block `status` a code, a message, and details in JSON;
//! `## Request` the body of the POST, or in a block `graphql` only the document; `## Answer STATUS` the JSON;
//! `## Calls` or `## Calls in order`: one line for each call, its path and its request as JSON.
//! A scenario may have several requests; each needs its answer.

use http::StatusCode;

/// One example.
#[derive(Debug, Default)]
pub(crate) struct Scenario {
    pub(crate) title: String,
    pub(crate) services: Vec<Described>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) exchanges: Vec<Exchange>,
}

/// A service and its proto.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) proto: String,
}

/// What a method answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// `package.Service/Method`.
    pub(crate) method: String,
    /// What the request must contain.
    pub(crate) when: Option<serde_json::Value>,
    pub(crate) with: With,
}

#[derive(Clone, Debug)]
pub(crate) enum With {
    /// JSON of the response.
    Message(String),
    Status {
        code: String,
        message: String,
        details: Vec<serde_json::Value>,
    },
}

/// A request and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) request: String,
    pub(crate) status: StatusCode,
    pub(crate) answer: String,
    pub(crate) calls: Option<Calls>,
}

#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) in_order: bool,
    pub(crate) lines: Vec<String>,
}

/// The scenarios of a file.
pub(crate) fn read(text: &str) -> Result<Vec<Scenario>, String> {
    let mut all: Vec<Scenario> = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut heading = String::new();
    let mut request = None;
    while let Some((number, line)) = lines.next() {
        let fail = |what: &str| Err(format!("line {}: {what}", number + 1));
        if let Some(title) = line.strip_prefix("# ") {
            all.push(Scenario { title: title.to_owned(), ..Scenario::default() });
            heading.clear();
        } else if let Some(text) = line.strip_prefix("## ") {
            heading = text.trim().to_owned();
        } else if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```")).collect();
            let Some(scenario) = all.last_mut() else { return fail("a block before any title") };
            if let Err(what) = scenario.take(&heading, language, &block.join("\n"), &mut request) {
                return fail(&what);
            }
        }
    }
    match all.iter().find(|scenario| scenario.exchanges.is_empty()) {
        Some(scenario) => Err(format!("{} has no answer", scenario.title)),
        None => Ok(all),
    }
}

impl Scenario {
    fn take(
        &mut self,
        heading: &str,
        language: &str,
        block: &str,
        request: &mut Option<String>,
    ) -> Result<(), String> {
        let (word, rest) = heading.split_once(' ').unwrap_or((heading, ""));
        match word {
            "Service" => {
                let (name, version) = rest.split_once(' ').ok_or("a service needs a name and a version")?;
                self.services.push(Described {
                    name: name.to_owned(),
                    version: version.to_owned(),
                    proto: block.to_owned(),
                });
            }
            "Settings" => {
                for line in block.lines() {
                    let (path, value) = line.split_once(": ").ok_or("a setting is `path: value`")?;
                    self.settings.push((path.to_owned(), value.to_owned()));
                }
            }
            "Reply" => self.replies.push(reply(rest, language, block)?),
            "Request" => {
                *request = Some(match language {
                    "graphql" => serde_json::json!({ "query": block }).to_string(),
                    _ => block.to_owned(),
                });
            }
            "Answer" => self.exchanges.push(Exchange {
                request: request.take().ok_or("an answer without a request")?,
                status: rest.parse().map_err(|_| "no status")?,
                answer: block.to_owned(),
                calls: None,
            }),
            "Calls" => {
                let exchange = self.exchanges.last_mut().ok_or("calls before any answer")?;
                let lines = block.lines().map(str::to_owned).collect();
                exchange.calls = Some(Calls { in_order: rest == "in order", lines });
            }
            other => return Err(format!("nothing is known of `{other}`")),
        }
        Ok(())
    }
}

fn reply(heading: &str, language: &str, block: &str) -> Result<Reply, String> {
    let (method, when) = match heading.split_once(" when ") {
        Some((method, when)) => {
            (method, Some(serde_json::from_str(when).map_err(|error| error.to_string())?))
        }
        None => (heading, None),
    };
    let with = match language {
        "status" => {
            let mut lines = block.lines();
            let details = |line: &str| serde_json::from_str(line).map_err(|error| error.to_string());
            With::Status {
                code: lines.next().unwrap_or_default().to_owned(),
                message: lines.next().unwrap_or_default().to_owned(),
                details: lines.map(details).collect::<Result<_, String>>()?,
            }
        }
        _ => With::Message(block.to_owned()),
    };
    Ok(Reply { method: method.to_owned(), when, with })
}
