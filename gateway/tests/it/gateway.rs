//! A gateway in this process, on free ports and a directory of its own, and a client for it.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
};
use serde_json::{Value, json};
use turnout::app::App;
use turnout::launch::{FileChoice, Launch};
use turnout_schema::Digest;

pub(crate) struct Gateway {
    app: App,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

impl Gateway {
    pub(crate) async fn start(data: &Path) -> Gateway {
        Gateway::start_with(data, &[]).await
    }

    pub(crate) async fn start_with(data: &Path, settings: &[(&'static str, &str)]) -> Gateway {
        let mut flags = vec![
            ("listen", "127.0.0.1:0".to_owned()),
            ("admin.listen", "127.0.0.1:0".to_owned()),
            ("data", data.display().to_string()),
        ];
        flags.extend(settings.iter().map(|(path, value)| (*path, (*value).to_owned())));
        Gateway::launch(Launch { file: FileChoice::None, env: Vec::new(), flags }).await
    }

    /// Starts as a file says, but for its places.
    pub(crate) async fn start_from(data: &Path, file: &Path) -> Gateway {
        let flags = vec![
            ("listen", "127.0.0.1:0".to_owned()),
            ("admin.listen", "127.0.0.1:0".to_owned()),
            ("data", data.display().to_string()),
        ];
        Gateway::launch(Launch { file: FileChoice::Named(file.to_owned()), env: Vec::new(), flags }).await
    }

    async fn launch(launch: Launch) -> Gateway {
        let read = launch.read().unwrap();
        let app = App::start(launch, read).await.unwrap();
        Gateway { app, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.app.admin())
    }

    pub(crate) fn public(&self) -> String {
        format!("http://{}", self.app.public())
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) async fn stop(self) {
        // An idle connection of the client would hold up the end.
        drop(self.client);
        self.app.stop(std::future::pending()).await;
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let uri = format!("{}{path}", self.admin());
        self.send(Request::builder().method(method).uri(uri).body(Full::new(body.into())).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, "").await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.call(Method::PUT, path, body).await
    }

    /// Stores descriptors, and returns their digest.
    pub(crate) async fn store(&self, descriptors: &[u8]) -> String {
        let digest = Digest::of(descriptors).to_string();
        let answer = self.put(&format!("/registry/v1/schemas/{digest}"), descriptors.to_vec()).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        digest
    }

    /// Registers an instance of the shop, and returns its lease.
    pub(crate) async fn register(&self, service: &str, id: &str, version: &str) -> String {
        let digest = self.store(&shop(version)).await;
        let answer = self.put(&instance(service, id), body(version, &digest).to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["lease"].as_str().unwrap().to_owned()
    }

    /// The services that are in the graph now.
    pub(crate) async fn graph_members(&self) -> Vec<String> {
        let uri = format!("{}/graphql", self.admin());
        let body = json!({ "query": "{ graph { members { service } } }" }).to_string();
        let request = Request::post(uri).header("content-type", "application/json");
        let answer = self.send(request.body(Full::new(body.into())).unwrap()).await.json();
        let members = answer["data"]["graph"]["members"].as_array().cloned().unwrap_or_default();
        members.iter().map(|member| member["service"].as_str().unwrap().to_owned()).collect()
    }

    /// The names of all instances: `catalog/a`.
    pub(crate) async fn instances(&self) -> Vec<String> {
        let listed = self.get("/registry/v1/services").await.json();
        let mut names = Vec::new();
        for service in listed["services"].as_array().unwrap() {
            for version in service["versions"].as_array().unwrap() {
                for one in version["instances"].as_array().unwrap() {
                    names.push(format!(
                        "{}/{}",
                        service["service"].as_str().unwrap(),
                        one["id"].as_str().unwrap()
                    ));
                }
            }
        }
        names
    }
}

pub(crate) fn instance(service: &str, id: &str) -> String {
    format!("/registry/v1/instances/{service}/{id}")
}

pub(crate) fn body(version: &str, digest: &str) -> Value {
    json!({
        "version": version,
        "endpoints": [{ "url": "grpc://127.0.0.1:50051" }],
        "schema": { "digest": digest },
    })
}

/// Descriptors that differ by their version.
pub(crate) fn shop(version: &str) -> Vec<u8> {
    let field = FieldDescriptorProto {
        name: Some(format!("since_{}", version.replace(['.', '-'], "_"))),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..Default::default()
    };
    let set = FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("shop.proto".into()),
            package: Some("shop.v1".into()),
            message_type: vec![DescriptorProto {
                name: Some("Item".into()),
                field: vec![field],
                ..Default::default()
            }],
            service: vec![ServiceDescriptorProto { name: Some("Shop".into()), ..Default::default() }],
            syntax: Some("proto3".into()),
            ..Default::default()
        }],
    };
    prost::Message::encode_to_vec(&set)
}
