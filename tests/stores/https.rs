//! The HTTPS client against servers with certificates of their own.

// Compiled again, since no public item makes a client that trusts such a certificate.
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
#[path = "../../src/rest/https.rs"]
mod https;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use https::HttpsClient;
use hyper_rustls::HttpsConnectorBuilder;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tower_bitrix24::Secret;
use tower_bitrix24::portals::TokenIntrospection;
use tower_bitrix24::rest::AuthorizationServer;

/// A TLS server with a self-signed certificate for `localhost`.
struct TlsServer {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    requests: UnboundedReceiver<String>,
}

impl TlsServer {
    async fn start() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = cert.der().clone();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]);
                if let Some(line) = request.lines().next() {
                    sender.send(line.to_owned()).unwrap();
                }
                let response =
                    r#"{"result": {"client_id": "app.1", "install": {"member_id": "a"}}}"#;
                let response = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{response}");
                let _ = stream.write_all(response.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self {
            address,
            certificate,
            requests,
        }
    }

    /// Introspects with this server under the name `host`, and returns the cause of a failure.
    async fn verify(&self, host: &str, client: HttpsClient) -> Result<(), String> {
        let server = format!("https://{host}:{}", self.address.port());
        let server = AuthorizationServer::insecure_custom(&server).unwrap();
        let introspection = TokenIntrospection::new("app.1", server, client).unwrap();
        let verified = introspection.verify("a", &Secret::new("canary7f3a")).await;
        verified.map_err(|error| error.source().unwrap().to_string())
    }

    fn trusted(&self) -> HttpsClient {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        HttpsClient::of(HttpsConnectorBuilder::new().with_tls_config(config))
    }
}

#[tokio::test]
async fn https_client_sends_nothing_to_a_server_with_a_self_signed_certificate() {
    let mut server = TlsServer::start().await;
    let error = server.verify("localhost", HttpsClient::new()).await;
    let error = error.unwrap_err();
    assert!(error.contains("UnknownIssuer"), "{error}");
    server.requests.try_recv().unwrap_err();
}

#[tokio::test]
async fn https_client_calls_a_server_with_a_trusted_certificate() {
    let mut server = TlsServer::start().await;
    assert_eq!(server.verify("localhost", server.trusted()).await, Ok(()));
    assert_eq!(
        server.requests.recv().await.unwrap(),
        "GET /rest/app.info?auth=canary7f3a HTTP/1.1"
    );
}

#[tokio::test]
async fn https_client_sends_nothing_to_a_server_with_a_certificate_of_another_host() {
    let mut server = TlsServer::start().await;
    let error = server.verify("127.0.0.1", server.trusted()).await;
    let error = error.unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    server.requests.try_recv().unwrap_err();
}
