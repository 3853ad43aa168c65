//! A router that is asked in memory.

use std::future::Future;
use std::sync::Mutex;

use axum::body::{to_bytes, Body};
use axum::extract::State;
use axum::http::{header::SET_COOKIE, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::Router;
use sockless_axum::sockless::deflate::Offer;
use sockless_axum::test::{connect, connect_http2, TestError};
use sockless_axum::{
    handshake::OriginPolicy, ClientConfig, CloseCode, Policy, ServerConfig, Sockets, TestUpgrade,
    WebSocketUpgrade, WebSocketUpgradeRejection,
};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::common::{echo, SAME_HOST};

static SMALL: ServerConfig = ServerConfig::new(OriginPolicy::SameHost)
    .with_max_message_size(1000)
    .with_subprotocols(&["chat.v2", "chat.v1"])
    .with_deflate(Policy::DEFAULT);

fn app() -> Router {
    Router::new().route("/", any(async |ws: WebSocketUpgrade| ws.on_upgrade(&SMALL, echo)))
}

async fn text_of(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 16).await.unwrap().into()).unwrap()
}

fn refused(result: Result<sockless_axum::test::TestSocket, TestError>) -> Response {
    match result {
        Err(TestError::Refused(response)) => *response,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_come_back_by_both_versions_of_http() {
    let _watchdog = watchdog!();
    let config = ClientConfig::new().with_deflate(Offer::DEFAULT).with_subprotocols(&["chat.v1", "x"]);
    for http2 in [false, true] {
        let mut client = match http2 {
            false => connect(app(), "ws://localhost/", &config).await.unwrap(),
            true => connect_http2(app(), "ws://localhost/", &config).await.unwrap(),
        };
        assert_eq!(client.subprotocol(), Some("chat.v1"));
        assert!(client.negotiated().deflate.is_some());
        for text in ["", "Hello", &"a".repeat(1000)] {
            client.send(text).await.unwrap();
            assert_eq!(client.recv().await.unwrap().unwrap().as_text(), Some(text));
        }
        let closed = client.close((CloseCode::NORMAL, "done")).await.unwrap().unwrap();
        assert!(closed.clean, "{closed:?}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_gets_403() {
    let _watchdog = watchdog!();
    for (origin, status) in [
        ("http://localhost", None),
        ("https://localhost", None),
        ("http://evil.example", Some(StatusCode::FORBIDDEN)),
        ("null", Some(StatusCode::FORBIDDEN)),
    ] {
        let config = ClientConfig::new().with_origin(origin);
        for opened in [
            connect(app(), "ws://localhost/", &config).await,
            connect_http2(app(), "ws://localhost/", &config).await,
        ] {
            assert_eq!(opened.err().and_then(|error| error.status()), status, "{origin}");
        }
    }
}

#[tokio::test]
async fn a_get_route_refuses_http2_and_an_any_route_does_not() {
    let _watchdog = watchdog!();
    let handler = async |ws: WebSocketUpgrade| ws.on_upgrade(&SAME_HOST, echo);
    let app = Router::new().route("/get", get(handler)).route("/any", any(handler));
    let config = ClientConfig::new();
    assert!(connect(app.clone(), "ws://localhost/get", &config).await.is_ok());
    let response = refused(connect_http2(app.clone(), "ws://localhost/get", &config).await);
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(connect_http2(app, "ws://localhost/any", &config).await.is_ok());
}

#[tokio::test]
async fn a_handler_chooses_the_subprotocol_and_sees_a_token_among_them() {
    let _watchdog = watchdog!();
    async fn choose(ws: WebSocketUpgrade) -> Response {
        let Some(token) = ws.subprotocols().find_map(|offer| offer.strip_prefix("token.")) else {
            return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
        };
        match token {
            "none" => ws.without_subprotocol().on_upgrade(&SMALL, echo),
            "other" => ws.with_subprotocol("not.offered").on_upgrade(&SMALL, echo),
            _ => ws.with_subprotocol("chat.v0").on_upgrade(&SMALL, echo),
        }
    }
    let app = Router::new().route("/", any(choose));
    for (offers, expected) in [
        (&["chat.v0", "chat.v1", "token.1234"][..], Ok(Some("chat.v0"))),
        (&["chat.v1", "token.none"], Ok(None)),
        (&["chat.v1", "token.other"], Err(StatusCode::INTERNAL_SERVER_ERROR)),
        (&["chat.v1"], Err(StatusCode::UNAUTHORIZED)),
    ] {
        let mut config = ClientConfig::new();
        for offer in offers {
            config = config.with_subprotocol(*offer);
        }
        let opened = connect(app.clone(), "ws://localhost/", &config).await;
        let outcome = match &opened {
            Ok(socket) => Ok(socket.subprotocol()),
            Err(error) => Err(error.status().unwrap()),
        };
        assert_eq!(outcome, expected, "{offers:?}");
        if outcome == Err(StatusCode::UNAUTHORIZED) {
            assert_eq!(text_of(refused(opened)).await, "who are you?");
        }
    }
}

#[tokio::test]
async fn one_route_serves_a_page_and_its_websocket() {
    let _watchdog = watchdog!();
    async fn both(ws: Option<WebSocketUpgrade>) -> Response {
        match ws {
            Some(ws) => ([(SET_COOKIE, "seen=1")], ws.on_upgrade(&SAME_HOST, echo)).into_response(),
            None => "a page".into_response(),
        }
    }
    async fn why(ws: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
        let rejection = ws.expect_err("a plain request");
        assert!(rejection.is_plain_http());
        (StatusCode::NOT_FOUND, rejection.body_text()).into_response()
    }
    let app = Router::new().route("/", any(both)).route("/why", any(why));
    let asked = |path: &str, version: &str| {
        Request::get(path)
            .header("host", "localhost")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", version)
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .extension(TestUpgrade::pair().0)
            .body(Body::empty())
            .unwrap()
    };
    let page = Request::get("/").header("host", "localhost").body(Body::empty()).unwrap();
    let page = app.clone().oneshot(page).await.unwrap();
    assert_eq!((page.status(), text_of(page).await.as_str()), (StatusCode::OK, "a page"));
    let opened = app.clone().oneshot(asked("/", "13")).await.unwrap();
    assert_eq!(opened.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(opened.headers()[SET_COOKIE], "seen=1");
    assert_eq!(opened.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let wrong = app.clone().oneshot(asked("/", "12")).await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(wrong.headers()["sec-websocket-version"], "13");
    let plain = Request::get("/why").header("host", "localhost").body(Body::empty()).unwrap();
    let plain = app.oneshot(plain).await.unwrap();
    assert_eq!(plain.status(), StatusCode::NOT_FOUND);
    assert!(text_of(plain).await.contains("does not ask for a WebSocket"));
}

#[tokio::test]
async fn a_message_over_the_limit_ends_with_1009() {
    let _watchdog = watchdog!();
    let mut client = connect(app(), "ws://localhost/", &ClientConfig::new()).await.unwrap();
    client.send("a".repeat(1001)).await.unwrap();
    assert!(client.recv().await.unwrap().is_none());
    assert_eq!(client.received_close().unwrap().code().map(u16::from), Some(1009));
}

#[tokio::test]
async fn a_silent_client_is_given_up_by_default() {
    let _watchdog = watchdog!();
    let (told, mut tells) = mpsc::channel(1);
    async fn wait(State(told): State<mpsc::Sender<String>>, ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(&SAME_HOST, async move |mut socket| {
            let error = socket.recv().await.unwrap_err();
            told.send(error.to_string()).await
        })
    }
    let app = Router::new().route("/", any(wait)).with_state(told);
    tokio::time::pause();
    let _silent = connect(app, "ws://localhost/", &ClientConfig::new()).await.unwrap();
    let error = tells.recv().await.unwrap();
    assert!(error.contains("no sign of life came after a Ping"), "{error}");
}

#[tokio::test]
async fn a_full_set_refuses_with_503_until_one_leaves() {
    let _watchdog = watchdog!();
    let sockets = Sockets::with_max(2);
    let handler = {
        let sockets = sockets.clone();
        async move |ws: WebSocketUpgrade| ws.with_sockets(&sockets).on_upgrade(&SAME_HOST, echo)
    };
    let app = Router::new().route("/", any(handler));
    let config = ClientConfig::new();
    let mut first = connect(app.clone(), "ws://localhost/", &config).await.unwrap();
    let _second = connect(app.clone(), "ws://localhost/", &config).await.unwrap();
    assert_eq!(sockets.len(), 2);
    let response = refused(connect(app.clone(), "ws://localhost/", &config).await);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(sockets.len(), 2);
    first.close(CloseCode::NORMAL).await.unwrap();
    while sockets.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert!(connect(app, "ws://localhost/", &config).await.is_ok());
}

#[tokio::test]
async fn the_caller_may_run_the_handler_itself() {
    let _watchdog = watchdog!();
    static TASKS: Mutex<Vec<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>> = Mutex::new(Vec::new());
    async fn keep(ws: WebSocketUpgrade) -> Result<Response, WebSocketUpgradeRejection> {
        let (response, served) = ws.accept(&SAME_HOST, echo)?;
        TASKS.lock().unwrap().push(Box::pin(served));
        Ok(response)
    }
    let app = Router::new().route("/", any(keep));
    let mut client = connect(app, "ws://localhost/", &ClientConfig::new()).await.unwrap();
    let served = TASKS.lock().unwrap().pop().unwrap();
    let talk = async {
        client.send("Hello").await.unwrap();
        assert_eq!(client.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
        client.close(CloseCode::NORMAL).await.unwrap();
    };
    tokio::join!(served, talk);
}

#[tokio::test]
async fn a_valid_request_that_cannot_be_upgraded_says_so() {
    let _watchdog = watchdog!();
    let request = Request::get("/")
        .header("host", "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Body::empty())
        .unwrap();
    let response = app().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert!(text_of(response).await.contains("cannot upgrade"));
}

#[test]
fn debug_shows_what_was_asked_for_in_numbers() {
    let sockets = format!("{:?}", Sockets::new());
    assert_eq!(sockets, "Sockets { len: 0, closing: false, .. }");
}
