//! An application with a robot: it responds at once, works, and then sends the result to the workflow.
//!
//! ```text
//! cargo run --example robot --features axum,testing
//! ```
//!
//! It needs no portal: a stand-in for the portal's REST address takes the place of `bizproc.event.send`,
//! and the test kit sends what Bitrix24 would. In an application of yours, the address comes from
//! `callback.auth().client_endpoint()` of a **verified** callback, and the calls go over HTTPS.

#[path = "support/client.rs"]
mod client;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use client::HttpClient;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower_bitrix24::callback::Robot;
use tower_bitrix24::handler::extract::OnCallback;
use tower_bitrix24::testing::{CallbackTamper, TestCallback};
use tower_bitrix24::{ApplicationToken, EventLayer};

const TOKEN: &str = "51856fefc120afa4b628cc82d3935cce";

/// The longest wait for the stand-in.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (portal, mut results) = start_portal().await?;
    let robot = format!("{}/robot", start_application(portal).await?);
    let client = HttpClient::new();
    let send = async |callback: TestCallback| -> Result<StatusCode, Box<dyn Error>> {
        let response = client.post_form(&robot, callback.form()).await;
        Ok(response.map_err(|error| error.to_string())?.status())
    };

    let deal = TestCallback::robot("parcel").set("document_id[2]", "DEAL_42");
    let waits = deal.clone().set("properties[weight]", "2.5");
    expect(
        "a robot that waits",
        send(waits).await?,
        StatusCode::ACCEPTED,
    )?;
    let result = timeout(PATIENCE, results.recv()).await?;
    let result = result.ok_or("the portal has stopped")?;
    println!("the portal received: {}", result["log_message"]);
    let values = json!({"price": "12.50", "track": "parcel-42"});
    if result["return_values"] != values || result["event_token"].as_str().is_none() {
        return Err(format!("expected {values}").into());
    }

    let goes_on = deal.clone().set("use_subscription", "N");
    expect(
        "a robot that does not wait",
        send(goes_on).await?,
        StatusCode::ACCEPTED,
    )?;
    let wrong = deal.clone().set("properties[weight]", "heavy");
    expect(
        "a robot with a wrong weight",
        send(wrong).await?,
        StatusCode::ACCEPTED,
    )?;
    let result = timeout(PATIENCE, results.recv()).await?;
    let result = result.ok_or("the portal has stopped")?;
    println!("the portal received: {}", result["log_message"]);
    if result["log_message"]
        .as_str()
        .is_none_or(|log| !log.contains("weight"))
    {
        return Err("expected a message about the weight".into());
    }

    for tamper in [CallbackTamper::WrongToken, CallbackTamper::WithoutToken] {
        let forged = deal.clone().tampered(tamper);
        expect("a forged robot", send(forged).await?, StatusCode::FORBIDDEN)?;
    }
    println!("done");
    Ok(())
}

fn expect(what: &str, status: StatusCode, expected: StatusCode) -> Result<(), String> {
    println!("{what}: {status}");
    if status == expected {
        Ok(())
    } else {
        Err(format!("expected {expected}"))
    }
}

#[derive(Clone)]
struct Application {
    client: HttpClient,
    portal: String,
}

/// The properties that the application registered with `bizproc.robot.add`.
#[derive(Deserialize)]
struct Parcel {
    weight: f64,
}

/// Its return properties.
#[derive(Serialize)]
struct Shipped {
    price: String,
    track: String,
}

/// Responds at once, since the platform ignores the response, and works in the background. Whatever must
/// survive a restart belongs into a queue on disk instead.
async fn parcel(State(app): State<Application>, robot: OnCallback<Robot>) -> StatusCode {
    tokio::spawn(async move {
        if let Err(error) = ship(&app, &robot).await {
            eprintln!("the parcel is not shipped: {error}");
        }
    });
    StatusCode::ACCEPTED
}

async fn ship(app: &Application, robot: &Robot) -> Result<(), String> {
    let body = match robot.properties_as::<Parcel>() {
        Ok(Parcel { weight }) => {
            let shipped = Shipped {
                price: format!("{:.2}", weight * 5.0),
                track: format!("parcel-{}", robot.document.id),
            };
            to_json(&robot.result(shipped).log("shipped").expose())?
        }
        // The workflow goes on, and its log says why.
        Err(error) => {
            let none = BTreeMap::<String, String>::new();
            let log = format!("not shipped: {} is wrong", error.path());
            to_json(&robot.result(none).log(log).expose())?
        }
    };
    if !robot.waits() {
        println!("nobody waits for the parcel of {}", robot.document.raw);
        return Ok(());
    }
    let url = format!("{}/rest/bizproc.event.send", app.portal);
    let response = app.client.post_json(&url, body).await;
    let status = response.map_err(|error| error.to_string())?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the portal responded with {status}"))
    }
}

fn to_json(body: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(body).map_err(|error| error.to_string())
}

async fn start_application(portal: String) -> Result<String, Box<dyn Error>> {
    let client = HttpClient::new();
    let app = Router::new()
        .route("/robot", post(parcel))
        .layer(EventLayer::new(ApplicationToken::new(TOKEN)?).callbacks())
        .with_state(Application { client, portal });
    serve(app).await
}

/// Starts a stand-in for the portal, and returns the bodies that it receives.
async fn start_portal() -> Result<(String, mpsc::UnboundedReceiver<Value>), Box<dyn Error>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let event_send = async move |Json(body): Json<Value>| {
        // Nobody waits for it once the example has ended.
        let _ = sender.send(body);
        Json(json!({"result": true}))
    };
    let portal = Router::new().route("/rest/bizproc.event.send", post(event_send));
    Ok((serve(portal).await?, receiver))
}

async fn serve(app: Router) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await.expect("the server runs") });
    Ok(url)
}
