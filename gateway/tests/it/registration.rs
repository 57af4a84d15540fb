//! What a service can do: store descriptors, register, stay, drain and go, over HTTP and gRPC alike.

use http::{Method, StatusCode};
use serde_json::json;
use tokio_stream::StreamExt;
use tonic_types::StatusExt;
use turnout_proto::registry::v1 as wire;
use turnout_proto::registry::v1::registry_client::RegistryClient;
use turnout_schema::Digest;

use crate::gateway::{Gateway, body, instance, shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_registers_stays_drains_and_goes() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let digest = Digest::of(&shop("1.4.0")).to_string();
    let schema = format!("/registry/v1/schemas/{digest}");
    assert_eq!(gateway.call(Method::HEAD, &schema, "").await.status, StatusCode::NOT_FOUND);
    let stored = gateway.put(&schema, shop("1.4.0")).await;
    assert_eq!(
        (stored.status, stored.json()["services"].clone()),
        (StatusCode::CREATED, json!(["shop.v1.Shop"]))
    );
    assert_eq!(gateway.put(&schema, shop("1.4.0")).await.status, StatusCode::OK);
    assert_eq!(gateway.call(Method::HEAD, &schema, "").await.status, StatusCode::OK);
    assert_eq!(gateway.get(&schema).await.body, shop("1.4.0"));

    let path = instance("catalog", "a");
    let granted = gateway.put(&format!("{path}?ttl=30"), body("1.4.0", &digest).to_string()).await.json();
    assert_eq!((granted["ttl"].clone(), granted["heartbeat"].clone()), (json!(30), json!(10)));
    assert_eq!(granted["findings"].as_array().unwrap().len(), 1, "{granted}");
    assert_eq!(granted["findings"][0]["code"], "NOTHING_PUBLIC");
    let lease = granted["lease"].as_str().unwrap();
    let beat = gateway.call(Method::POST, &format!("/registry/v1/leases/{lease}/keepalive"), "").await;
    assert_eq!(beat.json(), json!({ "lease": lease, "ttl": 30 }));

    let mut draining = body("1.4.0", &digest);
    draining["state"] = "draining".into();
    let again = gateway.put(&path, draining.to_string()).await.json();
    assert_eq!(again["lease"], lease, "the same process keeps its lease");
    assert_eq!(gateway.get(&path).await.json()["state"], "draining");

    let gone = gateway.call(Method::DELETE, &format!("{path}?lease={lease}"), "").await;
    assert_eq!(gone.status, StatusCode::OK);
    assert_eq!(gateway.get(&path).await.status, StatusCode::NOT_FOUND);
    let beat = gateway.call(Method::POST, &format!("/registry/v1/leases/{lease}/keepalive"), "").await;
    assert_eq!(
        (beat.status, beat.json()["error"]["help"].clone()),
        (StatusCode::NOT_FOUND, json!("Register again."))
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeating_a_registration_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let first = gateway.register("catalog", "a", "1.4.0").await;
    let before = gateway.get("/registry/v1/services").await.json();
    assert_eq!(gateway.register("catalog", "a", "1.4.0").await, first);
    assert_eq!(gateway.get("/registry/v1/services").await.json(), before);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_under_an_old_name_gets_a_lease_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let old = gateway.register("catalog", "a", "1.4.0").await;
    let digest = Digest::of(&shop("1.4.0")).to_string();
    let mut newer = body("1.4.0", &digest);
    newer["incarnation"] = json!(7);
    let path = instance("catalog", "a");
    let granted = gateway.put(&path, newer.to_string()).await.json();
    assert_ne!(granted["lease"], old.as_str());

    let refused = gateway.call(Method::DELETE, &format!("{path}?lease={old}"), "").await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].clone()),
        (StatusCode::CONFLICT, json!("LEASE_OF_ANOTHER"))
    );
    let overtaken = gateway.put(&path, body("1.4.0", &digest).to_string()).await;
    assert_eq!(overtaken.json()["error"]["code"], "STALE_INCARNATION");
    assert_eq!(gateway.instances().await, ["catalog/a"]);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_with_other_descriptors_is_refused_with_the_command_that_helps() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let lease = gateway.register("catalog", "a", "1.4.0").await;
    gateway.call(Method::DELETE, &format!("{}?lease={lease}", instance("catalog", "a")), "").await;
    let other = gateway.store(&shop("1.5.0")).await;
    let refused = gateway.put(&instance("catalog", "b"), body("1.4.0", &other).to_string()).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "VERSION_BOUND");
    assert!(error["help"].as_str().unwrap().contains("turnout service show catalog"), "{error}");
    assert_eq!(gateway.instances().await, Vec::<String>::new());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_says_the_same_as_http() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let mut client = RegistryClient::connect(gateway.admin()).await.unwrap();
    let bytes = shop("2.1.0");
    let digest = Digest::of(&bytes).to_string();

    let has = client.has_schema(wire::HasSchemaRequest { digest: digest.clone() }).await.unwrap();
    assert!(!has.into_inner().stored);
    let (first, second) = bytes.split_at(10);
    let chunks = vec![
        wire::PutSchemaRequest { digest: digest.clone(), chunk: first.to_vec() },
        wire::PutSchemaRequest { digest: String::new(), chunk: second.to_vec() },
    ];
    let stored = client.put_schema(tokio_stream::iter(chunks)).await.unwrap().into_inner();
    assert!(stored.created && stored.services == ["shop.v1.Shop"]);

    let instance = wire::Instance {
        service: "orders".into(),
        id: "o-1".into(),
        version: "2.1.0".into(),
        endpoints: vec![wire::Endpoint { url: "grpc://127.0.0.1:50052".into(), zone: "a".into() }],
        schema: Some(wire::SchemaRef { digest, services: Vec::new() }),
        ..Default::default()
    };
    let request = wire::RegisterRequest { instance: Some(instance), ttl_seconds: 0 };
    let granted = client.register(request).await.unwrap().into_inner();
    assert_eq!((granted.ttl_seconds, granted.heartbeat_seconds), (15, 5));
    assert_eq!(gateway.instances().await, ["orders/o-1"]);

    let beats = [granted.lease.clone(), "0".repeat(32), "nonsense".to_owned()];
    let beats = tokio_stream::iter(beats.map(|lease| wire::KeepAliveRequest { lease }));
    let answers = client.keep_alive(beats).await.unwrap().into_inner();
    let ttls: Vec<u32> = answers.map(|answer| answer.unwrap().ttl_seconds).collect().await;
    assert_eq!(ttls, [15, 0, 0]);

    let wrong = wire::RegisterRequest { instance: Some(wire::Instance::default()), ttl_seconds: 1 };
    let status = client.register(wrong).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let details = status.get_error_details();
    let told: Vec<String> =
        details.bad_request().unwrap().field_violations.iter().map(|mistake| mistake.field.clone()).collect();
    assert_eq!(told, ["service", "id", "version", "endpoints", "ttl"]);
    assert_eq!(details.error_info().unwrap().reason, "INVALID_REGISTRATION");
    assert!(!details.help().unwrap().links[0].description.is_empty());

    let goodbye =
        wire::DeregisterRequest { service: "orders".into(), id: "o-1".into(), lease: granted.lease };
    client.deregister(goodbye).await.unwrap();
    let listed = client.list(wire::ListRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.instances, Vec::new());
    drop(client);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_registers_only_the_services_it_names() {
    let data = tempfile::tempdir().unwrap();
    let tokens = data.path().join("tokens.yaml");
    let hash = Digest::of(b"secret").hex();
    let text = format!(
        "tokens:\n  - name: ci\n    sha256: {hash}\n    roles: [register]\n    services: [\"cat*\"]\n"
    );
    std::fs::write(&tokens, text).unwrap();
    let gateway = Gateway::start_with(data.path(), &[("admin.tokens.file", tokens.to_str().unwrap())]).await;
    let send = async |service: &str, token: Option<&str>| {
        let uri = format!("{}{}", gateway.admin(), instance(service, "a"));
        let mut request = http::Request::put(uri);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let text = json!({ "version": "1.0.0", "endpoints": [{ "url": "grpc://127.0.0.1:1" }] }).to_string();
        gateway.send(request.body(http_body_util::Full::from(text)).unwrap()).await.status
    };
    assert_eq!(send("catalog", None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(send("catalog", Some("wrong")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(send("orders", Some("secret")).await, StatusCode::FORBIDDEN);
    assert_eq!(send("catalog", Some("secret")).await, StatusCode::OK);
    assert_eq!(gateway.get("/livez").await.status, StatusCode::OK);
    assert_eq!(gateway.get("/metrics").await.status, StatusCode::UNAUTHORIZED);

    let mut client = RegistryClient::connect(gateway.admin()).await.unwrap();
    let status = client.register(wire::RegisterRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
    let mut request = tonic::Request::new(wire::RegisterRequest {
        instance: Some(wire::Instance { service: "orders".into(), ..Default::default() }),
        ttl_seconds: 0,
    });
    request.metadata_mut().insert("authorization", "Bearer secret".parse().unwrap());
    assert_eq!(client.register(request).await.unwrap_err().code(), tonic::Code::PermissionDenied);
    drop(client);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_what_is_registered() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    gateway.register("catalog", "a", "1.4.0").await;
    let question =
        json!({ "query": "{ service(name: \"catalog\") { versions { version instances { id state } } } }" });
    let ask = async |kind: &str, body: String| {
        let request =
            http::Request::post(format!("{}/graphql", gateway.admin())).header("content-type", kind);
        gateway.send(request.body(http_body_util::Full::from(body)).unwrap()).await
    };
    let answer = ask("application/json", question.to_string()).await.json();
    let expected = json!({ "service": { "versions": [
        { "version": "1.4.0", "instances": [{ "id": "a", "state": "UP" }] } ] } });
    assert_eq!(answer["data"], expected);
    assert_eq!(ask("text/plain", question.to_string()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let deep = json!({ "query": format!("{{ services(a: {}1{}) }}", "[".repeat(5000), "]".repeat(5000)) });
    assert_eq!(ask("application/json", deep.to_string()).await.status, StatusCode::BAD_REQUEST);

    let metrics = gateway.get("/metrics").await.text();
    assert!(metrics.contains("turnout_registry_instances{state=\"up\"} 1"), "{metrics}");
    let page = gateway.get("/nothing").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.headers.contains_key("content-security-policy"));
    gateway.stop().await;
}
