//! `sockless bench`.

use serde_json::Value;

use crate::support::{echo, run, server};

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_counted_and_timed() {
    let _watchdog = watchdog!();
    let url = echo().await;
    let arguments = ["bench", &url, "--connections", "3", "--size", "1K", "--duration", "500ms"];
    let ran = run(&[&arguments as &[&str], &["--json"]].concat(), b"").await;
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let result: Value = serde_json::from_str(ran.text()).unwrap();
    assert_eq!((&result["connections"], &result["octets"]), (&Value::from(3), &Value::from(1024)));
    assert!(result["messages"].as_u64().unwrap() >= 3, "{result}");
    let latency: Vec<_> = ["50", "90", "99", "99.9", "max"]
        .iter()
        .map(|part| result["latency_us"][part].as_f64().unwrap())
        .collect();
    assert!(latency[0] > 0.0 && latency.is_sorted(), "{latency:?}");
    let measured = result["measured_s"].as_f64().unwrap();
    assert!((0.5..5.0).contains(&measured), "{measured}");

    let ran = run(&[&arguments as &[&str], &["--binary"]].concat(), b"").await;
    assert_eq!((ran.status, ran.text().lines().count()), (0, 6), "{ran:?}");
    for word in ["connections", "messages", "rate", "throughput", "latency", "microseconds"] {
        assert!(ran.text().lines().any(|line| line.starts_with(word)), "{word} in {}", ran.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_echo() {
    let _watchdog = watchdog!();
    let silent = server(|mut socket| async move { while let Ok(Some(_)) = socket.recv().await {} });
    let ran = run(&["bench", &silent.await, "--duration", "200ms"], b"").await;
    assert_eq!((ran.status, ran.text()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("does this server echo"), "{ran:?}");
    let closing = server(|mut socket| async move { drop(socket.close(sockless::CloseCode::NORMAL).await) });
    let ran = run(&["bench", &closing.await, "--duration", "10s"], b"").await;
    assert_eq!((ran.status, ran.text()), (8, ""), "{ran:?}");
}
