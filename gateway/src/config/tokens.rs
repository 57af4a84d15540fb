//! Who may come in at the admin listener: the tokens file.
//!
//! ```yaml
//! tokens:
//!   - name: catalog-deploy
//!     sha256: 9f86d0…            # of the token's text; the text itself stays with its owner
//!     roles: [register]          # read, operate, register
//!     services: [catalog]        # what it may register; a * at the end stands for any rest
//! ```

use crate::http::access::{Role, Token};

use super::mistake::{Hidden, Mistake, Origin, Source, Span};
use super::node::{self, Content, Entry, Node};
use super::{File, Mistakes};

/// Reads a tokens file, or tells every mistake in it.
pub fn tokens(file: &File) -> Result<Vec<Token>, Mistakes> {
    let tree = node::parse(&file.text);
    let mut reader = Reader { mistakes: tree.mistakes };
    let mut tokens = Vec::new();
    if reader.mistakes.is_empty() {
        match tree.root.map(|root| root.content) {
            Some(Content::Map(entries)) => {
                for entry in &entries {
                    match (entry.key.as_str(), &entry.value.content) {
                        ("tokens", Content::List(items)) => {
                            tokens.extend(items.iter().filter_map(|item| reader.token(item)));
                        }
                        ("tokens", _) => reader.tell(entry.value.span, "tokens must be a list"),
                        _ => reader.tell(entry.key_span, "unknown key; a tokens file has only `tokens`"),
                    }
                }
            }
            _ => reader.tell(Span::START, "a tokens file is a map with the key `tokens`"),
        }
    }
    if reader.mistakes.is_empty() {
        return Ok(tokens);
    }
    let source = Source::new(file.path.display().to_string(), &file.text);
    Err(Mistakes::new(Some(source), &Hidden::default(), reader.mistakes))
}

struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn tell(&mut self, span: Span, message: &str) {
        self.mistakes.push(Mistake { origin: Origin::File(span), message: message.to_owned(), hint: None });
    }

    fn token(&mut self, item: &Node) -> Option<Token> {
        let Content::Map(entries) = &item.content else {
            self.tell(item.span, "a token is a map with name, sha256, roles and services");
            return None;
        };
        let mut token =
            Token { name: String::new(), sha256: [0; 32], roles: Vec::new(), services: Vec::new() };
        let given = |key: &str| entries.iter().any(|entry| entry.key == key);
        for Entry { key, key_span, value } in entries {
            match key.as_str() {
                "name" => token.name = self.text(value),
                "sha256" => self.hash(value, &mut token.sha256),
                "roles" => token.roles = self.roles(value),
                "services" => {
                    let items = self.list(value);
                    token.services = items.iter().map(|item| self.text(item)).collect();
                }
                _ => self.tell(*key_span, "unknown key; a token has name, sha256, roles and services"),
            }
        }
        for (missing, what) in [
            (!given("name"), "a token needs a name, for the log"),
            (!given("sha256"), "a token needs a sha256; `printf %s TOKEN | sha256sum` prints it"),
            (!given("roles"), "a token needs roles: read, operate or register"),
            (
                token.roles.contains(&Role::Register) && !given("services"),
                "a token that registers needs services; [\"*\"] stands for all",
            ),
        ] {
            if missing {
                self.tell(item.span, what);
            }
        }
        Some(token)
    }

    fn roles(&mut self, node: &Node) -> Vec<Role> {
        let items = self.list(node);
        let mut roles = Vec::new();
        for item in items {
            match self.text(item).as_str() {
                "read" => roles.push(Role::Read),
                "operate" => roles.push(Role::Operate),
                "register" => roles.push(Role::Register),
                _ => self.tell(item.span, "unknown role; there are read, operate and register"),
            }
        }
        roles
    }

    fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.content {
            Content::List(items) => items,
            _ => {
                self.tell(node.span, "must be a list");
                &[]
            }
        }
    }

    fn text(&mut self, node: &Node) -> String {
        match &node.content {
            Content::Scalar(text) => text.clone(),
            _ => {
                self.tell(node.span, "must be a text");
                String::new()
            }
        }
    }

    fn hash(&mut self, node: &Node, into: &mut [u8; 32]) {
        let text = self.text(node);
        if hex::decode_to_slice(text.to_lowercase(), into).is_err() {
            self.tell(node.span, "a sha256 has 64 hexadecimal digits");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let file = File { path: "tokens.yaml".into(), text: text.to_owned() };
        let answer = match tokens(&file) {
            Ok(tokens) => {
                format!("{:?}", tokens.iter().map(|token| (&token.name, &token.roles)).collect::<Vec<_>>())
            }
            Err(mistakes) => mistakes.to_string(),
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn a_token_has_a_name_a_hash_roles_and_services() {
        check(
            "tokens:\n  - name: ci\n    sha256: 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08\n    roles: [register, read]\n    services: [\"*\"]\n",
            expect![[r#"[("ci", [Register, Read])]"#]],
        );
        check("tokens: []\n", expect!["[]"]);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        check(
            "tokens:\n  - name: ci\n    sha256: abc\n    roles: [admin]\n    colour: red\nother: 1\n",
            expect![[r#"
                error: a sha256 has 64 hexadecimal digits
                  --> tokens.yaml:3:13
                   |
                3  |     sha256: abc
                   |             ^^^

                error: unknown role; there are read, operate and register
                  --> tokens.yaml:4:13
                   |
                4  |     roles: [admin]
                   |             ^^^^^

                error: unknown key; a token has name, sha256, roles and services
                  --> tokens.yaml:5:5
                   |
                5  |     colour: red
                   |     ^^^^^^

                error: unknown key; a tokens file has only `tokens`
                  --> tokens.yaml:6:1
                   |
                6  | other: 1
                   | ^^^^^

                tokens.yaml: 4 mistakes"#]],
        );
    }
}
