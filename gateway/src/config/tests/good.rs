//! What is read, which source wins, and what is printed from the table.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::{expect, expect_file};
use serde_json::Value;
use turnout_control::rollout::Approval;
use turnout_control::source::{Loopback, Tls};

use super::{pairs, read_text, sources};
use crate::config::settings::{Change, SETTINGS};
use crate::config::{
    CohortUnit, Config, Expose, File, FrontendTrust, LedgerKind, OnNewVersion, RegistryKind, SchemaPolicy,
    SourceConfig, Sources, StatusProfile, changed_needing_restart, read, schema, template,
};

/// The sample of the public contract, with real values where it has dots.
const CONTRACT: &str = "\
listen: 127.0.0.1:4000
admin: { listen: 127.0.0.1:4001, tokens: { file: tokens.yaml } }   # roles: read, operate, register
data: ./turnout-data
registry: { kind: embedded }          # or: kind: etcd, endpoints: [...], prefix: /turnout/v1, tls/auth
ledger: { kind: embedded }            # or: kind: postgres, url: ...
frontends: { dir: frontend-versions, default: web, trust: claims, key_file: frontend.key }
expose: annotated                     # or: all; per service under services.<name>.expose
on_new_version: rollout               # or: hold; per service too
services: { orders: { timeout: 2s, expose: all, on_new_version: hold, cohort_unit: user } }
auth: { jwt: { issuer: https://id.example/, audience: turnout, jwks_url: https://id.example/jwks, required: false } }
http: { status: compat, cors: { origins: [https://app.example] }, csrf: true, batch_max: 10, playground: false }
limits: { body: 1MiB, tokens: 2000, depth: 15, selections: 1000, aliases: 60, directives: 20, deadline: 10s }
headers: { forward: [authorization] }
expose_lineup: false
telemetry: {}                         # OTEL_* environment variables are honoured
";

const CLUSTER: &str = "\
registry:
  kind: etcd
  endpoints: [https://etcd-0:2379, https://etcd-1:2379]
  tls: { ca: ca.pem, cert: c.pem, key: c.key }
  username: turnout
  password: ${ETCD_PASSWORD}
ledger: { kind: postgres, url: \"${DATABASE_URL}\" }
frontends: { trust: signed, key_file: /run/frontend.key }
";

fn config(text: &str) -> Config {
    read_text(text).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

#[test]
fn the_sample_of_the_contract_is_read() {
    let config = config(CONTRACT);
    let orders = config.service(&"orders".parse().unwrap());
    assert_eq!(orders.timeout, Some(Duration::from_secs(2)));
    assert_eq!((orders.expose, orders.on_new_version), (Expose::All, OnNewVersion::Hold));
    let other = config.service(&"users".parse().unwrap());
    assert_eq!((other.expose, other.on_new_version), (Expose::Annotated, OnNewVersion::Rollout));
    assert_eq!((other.timeout, other.cohort_unit), (None, CohortUnit::User));
    assert_eq!(config.limits.body_bytes, 1 << 20);
    assert_eq!(config.http.status, StatusProfile::Compat);
    assert!(config.auth.jwt.is_some());
}

#[test]
fn how_rollouts_go_is_read_for_all_services_and_for_one() {
    let read = config(
        "rollouts: { steps: [0.5%, 10%], dwell: 5m, approval: operator, tick: 5s }\nservices: { orders: { approval: evidence } }",
    );
    let steps: Vec<u32> = read.rollouts.steps.iter().map(|step| step.as_ppm()).collect();
    assert_eq!((steps, read.rollouts.dwell), (vec![5_000, 100_000], Duration::from_mins(5)));
    let approval = |service: &str| read.service(&service.parse().unwrap()).approval;
    assert_eq!((approval("orders"), approval("users")), (Approval::Evidence, Approval::Operator));
    let usual = config("");
    let steps: Vec<u32> = usual.rollouts.steps.iter().map(|step| step.as_ppm()).collect();
    assert_eq!(steps, [10_000, 50_000, 200_000, 500_000]);
}

#[test]
fn steps_that_do_not_go_up_are_refused() {
    let mistake = |steps: &str| read_text(&format!("rollouts: {{ {steps} }}")).unwrap_err().to_string();
    assert!(mistake("steps: [5%, 5%]").contains("`rollouts.steps` must go up"));
    assert!(mistake("steps: [0%, 5%]").contains("`rollouts.steps` begins with nobody"));
    assert!(mistake("steps: []").contains("`rollouts.steps` has no step"));
    let dwell = mistake("dwell: 3h");
    assert!(dwell.contains("`rollouts.dwell`: 3h is above `rollouts.dwell_max`: 2h"), "{dwell}");
}

#[test]
fn a_cluster_is_read_and_its_secrets_are_never_shown() {
    let mut sources = sources(CLUSTER);
    sources.env = pairs(&[("ETCD_PASSWORD", "hunter2"), ("DATABASE_URL", "postgres://u:hunter2@db/x")]);
    let loaded = read(&sources).unwrap();
    let RegistryKind::Etcd(etcd) = &loaded.config.registry.kind else { panic!("etcd was asked for") };
    assert_eq!((etcd.endpoints.len(), etcd.prefix.as_str()), (2, "/turnout/v1"));
    assert_eq!(etcd.login.as_ref().unwrap().password.reveal(), "hunter2");
    assert!(etcd.tls.client.is_some() && etcd.tls.ca.is_some());
    let LedgerKind::Postgres { url } = &loaded.config.ledger.kind else { panic!("PostgreSQL was asked for") };
    assert_eq!(url.reveal(), "postgres://u:hunter2@db/x");
    assert!(matches!(&loaded.config.frontends.trust, FrontendTrust::Signed { .. }));
    let shown = format!("{loaded:?} {:?} {:?} {sources:?}", loaded.settings(), loaded.config);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn mistakes_never_show_a_secret() {
    for text in [
        "ledger: { kind: postgress, url: 'postgres://u:hunter2@db/x' }\n",
        "ledger: { kind: postgres, url: 'mysql://u:hunter2@db/x' }\n",
        "ledger:\n  kind: postgres\n  url:\n    postgres://u:hunter2@db/x y\n",
        "registry: { kind: etcd, endpoints: ['http://u:hunter2@etcd:1'] }\n",
        "registry: { kind: etcd, endpoints: ['http://e:1'], passwrd: hunter2 }\n",
        "registry: { password: hunter2, kind: [ }\n",
        "registry: { password: hunter2, username: [x] }\n",
        "ledger:\n  url: [postgres://hunter2]\n",
    ] {
        let mistakes = read_text(text).expect_err(text).to_string();
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
    }
    let env = pairs(&[("TURNOUT_LEDGER__URL", "hunter2"), ("TURNOUT_LEDGER__KIND", "postgres")]);
    let mistakes = read(&Sources { env, ..Sources::default() }).unwrap_err().to_string();
    assert!(!mistakes.contains("hunter2"), "{mistakes}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let mut sources = sources("limits: { depth: 1, aliases: 1, tokens: 1 }\n");
    sources.env = pairs(&[("TURNOUT_LIMITS__DEPTH", "2"), ("TURNOUT_LIMITS__ALIASES", "2")]);
    sources.flags = vec![("limits.depth", "3".to_owned())];
    let loaded = read(&sources).unwrap();
    let limits = &loaded.config.limits;
    assert_eq!((limits.depth, limits.aliases, limits.tokens, limits.directives), (3, 2, 1, 20));
    let origin = |path| loaded.settings().into_iter().find(|row| row.path == path).unwrap().origin;
    assert_eq!(origin("limits.depth"), "command line");
    assert_eq!(origin("limits.aliases"), "env TURNOUT_LIMITS__ALIASES");
    assert_eq!(origin("limits.tokens"), "turnout.yaml:1:41");
    assert_eq!(origin("limits.directives"), "default");
    assert_eq!(origin("frontends.default"), "not set");
}

#[test]
fn the_environment_sets_lists_tops_and_services() {
    let env = pairs(&[
        ("TURNOUT_LISTEN", "127.0.0.1:0"),
        ("TURNOUT_HEADERS__FORWARD", "authorization, x-tenant"),
        ("TURNOUT_REGISTRY__ALLOW_CIDRS", ""),
        ("TURNOUT_SERVICES__ORDERS__TIMEOUT", "3s"),
        // Of other programs.
        ("TURNOUT_ADMIN", "http://127.0.0.1:4001"),
        ("TURNOUT_TOKEN", "secret"),
        ("TURNOUT_REGISTRY_URL", "http://127.0.0.1:4001"),
        ("turnout_limits__depth", "x"),
    ]);
    let config = read(&Sources { env, ..Sources::default() }).unwrap().config;
    assert_eq!(config.listen.port(), 0);
    assert_eq!(config.headers.forward, ["authorization", "x-tenant"]);
    assert!(config.registry.allow_cidrs.is_empty());
    assert_eq!(config.service(&"orders".parse().unwrap()).timeout, Some(Duration::from_secs(3)));
}

#[test]
fn mistakes_of_all_sources_are_told_at_once() {
    let mut sources = sources("lisen: x\nlimits:\n  depth: deep\n  deadline: 10\n");
    sources.env = pairs(&[
        ("TURNOUT_LIMITS__DEPHT", "3"),
        ("TURNOUT_HTTP__CORS", "*"),
        ("TURNOUT_LIMITS__BODY", "1"),
        ("TURNOUT_SERVICES__A B__TIMEOUT", "1s"),
    ]);
    sources.flags = vec![("listen", "here".to_owned())];
    expect![[r#"
        error: unknown setting `lisen`
          --> turnout.yaml:1:1
           |
        1  | lisen: x
           | ^^^^^ did you mean `listen`?

        error: `limits.depth`: takes a whole number from 1 to 50, not `deep`
          --> turnout.yaml:3:10
           |
        3  |   depth: deep
           |          ^^^^

        error: `limits.deadline`: `10` has no unit
          --> turnout.yaml:4:13
           |
        4  |   deadline: 10
           |             ^^ did you mean `10s`?

        error: `TURNOUT_HTTP__CORS` sets no setting
          --> environment variable TURNOUT_HTTP__CORS
           = it is a section, with origins

        error: `limits.body`: `1` has no unit
          --> environment variable TURNOUT_LIMITS__BODY
           = did you mean `1B`?

        error: `TURNOUT_LIMITS__DEPHT` sets no setting
          --> environment variable TURNOUT_LIMITS__DEPHT
           = did you mean `TURNOUT_LIMITS__DEPTH`?

        error: `services.a b.timeout`: the name `a b` may only have letters, digits, ".", "_" and "-", but has ' '
          --> environment variable TURNOUT_SERVICES__A B__TIMEOUT

        error: `listen`: `here` is not an address such as `127.0.0.1:4000`
          --> command line

        turnout.yaml: 8 mistakes"#]].assert_eq(&read(&sources).unwrap_err().to_string());
}

#[test]
fn paths_of_a_file_start_in_its_directory_and_others_do_not() {
    let file = File {
        path: "/etc/turnout/turnout.yaml".into(),
        text: "frontends: { dir: f, key_file: /k }\n".to_owned(),
    };
    let flags = vec![("data", "d".to_owned())];
    let config = read(&Sources { file: Some(file), flags, ..Sources::default() }).unwrap().config;
    assert_eq!(config.frontends.dir.to_str(), Some("/etc/turnout/f"));
    assert_eq!(config.data.to_str(), Some("d"));
    assert_eq!(config.frontends.trust, FrontendTrust::Claims { key_file: Some("/k".into()) });
}

#[test]
fn only_what_is_fixed_at_a_start_needs_a_restart() {
    let old = config("");
    let new = config(
        "listen: 127.0.0.1:5000\nlimits: { depth: 3 }\nregistry: { kind: etcd, endpoints: ['http://e:1'] }\n",
    );
    assert_eq!(changed_needing_restart(&old, &new), ["listen", "registry.kind", "registry.endpoints"]);
    assert!(changed_needing_restart(&new, &new).is_empty());
    assert!(SETTINGS.iter().any(|setting| setting.change == Change::Reload));
}

#[test]
fn other_registries_are_read_in_the_order_of_their_ranks() {
    let text = "\
registry:
  sources:
    kratos: { layout: kratos-etcd, endpoints: ['http://e:1'], rank: 60 }
    todo: { layout: todolist, endpoints: ['http://e:1'], services: [user, task], allow_loopback: true }
    zero:
      layout: gozero
      endpoints: ['http://e:1', 'http://f:1']
      services: user.rpc
      username: u
      password: p
    own:
      layout: plain
      endpoints: [http://e:1]
      prefix: /services
      key: \"{service}/{id}\"
      value: json
      fields: [address = /addr, version=/meta/version]
services:
  user: { version: 1.2.0, tls: true, schema: protos/user.binpb }
  task: { schema: 'off' }
  cart: { schema: 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' }
";
    let config = config(text);
    let shown = |source: &SourceConfig| {
        let (name, etcd) = (&source.source.name, &source.etcd);
        format!(
            "{name}: {} {:?} of {}",
            source.source.layout.as_str(),
            source.source.scopes(),
            etcd.endpoints.len()
        )
    };
    let shown: Vec<String> = config.registry.sources.iter().map(shown).collect();
    expect![[r#"
        own: plain ["/services/"] of 1
        todo: todolist ["/task", "/user"] of 1
        zero: gozero ["user.rpc/"] of 2
        kratos: kratos-etcd ["/microservices/"] of 1"#]]
    .assert_eq(&shown.join("\n"));
    assert_eq!(config.registry.sources[1].source.loopback, Loopback::Taken);
    let user = config.service(&"user".parse().unwrap());
    assert_eq!((user.version.as_ref().unwrap().to_string(), user.tls), ("1.2.0".to_owned(), Tls::Always));
    assert_eq!(user.schema, SchemaPolicy::Path("protos/user.binpb".into()));
    let schema = |name: &str| config.service(&name.parse().unwrap()).schema.clone();
    assert_eq!(schema("task"), SchemaPolicy::Off);
    assert!(matches!(schema("cart"), SchemaPolicy::Digest(_)));
    assert_eq!(schema("other"), SchemaPolicy::Reflection);
}

#[test]
fn the_examples_of_the_page_on_registration_are_read() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/registration.md");
    let text = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        text.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert_eq!(blocks.len(), 3);
    let read: Vec<Config> = blocks.into_iter().map(config).collect();
    let clusters = read.iter().filter(|config| matches!(config.registry.kind, RegistryKind::Etcd(_)));
    assert_eq!(clusters.count(), 1);
    let layouts = read.into_iter().flat_map(|config| config.registry.sources);
    let layouts: Vec<&str> = layouts.map(|source| source.source.layout.as_str()).collect();
    assert_eq!(layouts, ["kratos-etcd", "todolist", "plain"]);
}

#[test]
fn a_source_is_fixed_at_a_start_and_policy_is_not() {
    let with = |prefix: &str, version: &str| {
        let source = format!("layout: kratos-etcd, endpoints: ['http://e:1'], prefix: {prefix}");
        config(&format!(
            "registry: {{ sources: {{ a: {{ {source} }}, b: {{ layout: native, endpoints: ['http://e:1'] }} }} }}\n\
             services: {{ cart: {{ version: {version} }} }}\n"
        ))
    };
    let old = with("/a", "1.0.0");
    assert!(changed_needing_restart(&old, &with("/a", "2.0.0")).is_empty());
    assert_eq!(changed_needing_restart(&old, &with("/b", "1.0.0")), ["registry.sources.*.prefix"]);
    let gone = ["registry.sources.*.layout", "registry.sources.*.endpoints", "registry.sources.*.prefix"];
    assert_eq!(changed_needing_restart(&old, &config("")), gone);
}

#[test]
fn the_template_is_valid_and_changes_nothing_until_a_line_is_set() {
    assert_eq!(config(&template()), config(""));
    let set = template().replace("  # depth: 15", "  depth: 3").replace("# expose: annotated", "expose: all");
    assert_eq!((config(&set).limits.depth, config(&set).expose_lineup), (3, false));
    assert_eq!(config(&set).any_service.expose, Expose::All);
}

#[test]
fn every_setting_of_the_template_is_valid_once_it_is_set() {
    let known: BTreeSet<&str> =
        SETTINGS.iter().map(|setting| setting.word()).chain(["orders", "legacy", "tls"]).collect();
    let uncomment = |line: &str| {
        let bare = line.trim_start().strip_prefix("# ")?;
        let word = bare.trim_start().split(':').next()?;
        let margin = &line[..line.len() - line.trim_start().len()];
        known.contains(word).then(|| format!("{margin}{bare}"))
    };
    let all: Vec<String> =
        template().lines().map(|line| uncomment(line).unwrap_or_else(|| line.to_owned())).collect();
    // The settings of etcd and PostgreSQL are legal with these only.
    let text = all.join("\n").replacen("kind: embedded", "kind: etcd", 1).replacen(
        "kind: embedded",
        "kind: postgres",
        1,
    );
    // So is a template of keys.
    let text = text.replacen("layout: kratos-etcd", "layout: plain", 1);
    let loaded = read_text(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let unset: Vec<String> = loaded
        .settings()
        .into_iter()
        .filter(|row| !row.origin.starts_with("turnout.yaml:"))
        .map(|row| row.path)
        .collect();
    assert_eq!(unset, Vec::<String>::new());
}

#[test]
fn the_schema_has_every_setting_and_no_other() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut found = BTreeSet::new();
    collect(&schema, "", &mut found);
    let known: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.path.to_owned()).collect();
    assert_eq!(found, known);
}

fn collect(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |word: &str| if path.is_empty() { word.to_owned() } else { format!("{path}.{word}") };
    let named = schema.get("additionalProperties").filter(|named| named.is_object());
    if let Some(named) = named {
        return collect(named, &below("*"), found);
    }
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => properties.iter().for_each(|(word, schema)| collect(schema, &below(word), found)),
        None => assert!(found.insert(path.to_owned()), "{path} is there twice"),
    }
}

#[test]
fn the_page_has_the_table_of_settings() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let text = std::fs::read_to_string(page).unwrap();
    let (begin, end) = ("<!-- settings -->\n", "<!-- /settings -->");
    let (head, rest) = text.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    let table = crate::config::print::reference::reference();
    expect_file![page].assert_eq(&format!("{head}{begin}{table}{end}{tail}"));
}
