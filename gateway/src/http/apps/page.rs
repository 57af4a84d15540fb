//! How does a page come to know its own token?
//!
//! A page carries `<meta name="turnout-frontend-token" content="">`, and what is served has the token in it. So
//! two tabs of different versions stay what they are although they share a cookie. A page without the tag gets
//! one at the end of its head. The rest of its text is left as it is.

const NAME: &str = "turnout-frontend-token";

/// The page with its token.
pub(super) fn with_token(html: &str, token: &str) -> String {
    let token = escaped(token);
    match place(html) {
        Some((start, end)) => format!("{}{token}{}", &html[..start], &html[end..]),
        None => {
            let tag = format!("<meta name=\"{NAME}\" content=\"{token}\">");
            let head = html.find("</head>").unwrap_or(0);
            format!("{}{tag}{}", &html[..head], &html[head..])
        }
    }
}

/// Where the value of the tag's `content` is.
fn place(html: &str) -> Option<(usize, usize)> {
    let name = [format!("name=\"{NAME}\""), format!("name='{NAME}'"), format!("name={NAME} ")];
    let named = name.iter().find_map(|name| html.find(name.as_str()))?;
    let open = html[..named].rfind('<')?;
    let close = named + html[named..].find('>')?;
    let content = open + html[open..close].find("content=")? + "content=".len();
    let quote = html[content..].chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let start = content + 1;
    let end = start + html[start..close].find(quote)?;
    Some((start, end))
}

/// A text as the value of an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_token_in_its_tag() {
        for (page, expected) in [
            (
                r#"<head><meta name="turnout-frontend-token" content=""><title>x</title></head>"#,
                r#"<head><meta name="turnout-frontend-token" content="a.b&quot;&lt;"><title>x</title></head>"#,
            ),
            (
                r#"<meta content='old' name='turnout-frontend-token' />"#,
                r#"<meta content='a.b&quot;&lt;' name='turnout-frontend-token' />"#,
            ),
            (
                "<html><head><title>x</title></head><body></body></html>",
                "<html><head><title>x</title><meta name=\"turnout-frontend-token\" content=\"a.b&quot;&lt;\"></head><body></body></html>",
            ),
            ("hello", "<meta name=\"turnout-frontend-token\" content=\"a.b&quot;&lt;\">hello"),
        ] {
            assert_eq!(with_token(page, "a.b\"<"), expected);
        }
    }
}
