//! How each route is called with things that are there: its path, query and body, from the OpenAPI document and a few recipes.

use std::collections::BTreeMap;

use axum::{body::Body, http::Request};
use ginti_store::{NewUser, Role, Store, User};
use ginti_types::{TenantId, UserLoginId};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{ACME, Answer, IMPORT, PASSWORD, PASSWORD_HASH, World, batch_id};

/// Stands in every text of acme's and in none of the requests.
pub(super) const MARK: &str = "acme-only";

/// Acme's things, by the names that paths and bodies have for them.
pub(super) type Ids = BTreeMap<&'static str, String>;

/// What is sent, with the ids in it; acme's, or such as nobody has.
pub(super) fn body(operation: &str, ids: &Ids) -> Option<(&'static str, String)> {
    let id = |name: &str| ids[name].clone();
    let json = match operation {
        "changePassword" => json!({ "currentPassword": "of somebody else", "newPassword": "another long one" }),
        "endSignIn" => json!({ "currentPassword": PASSWORD }),
        "createRun" => json!({ "workEffortId": id("workEffortId"), "workEffortName": "theirs" }),
        "createSessions" => json!({ "sessions": [{
            "countImportName": "theirs", "facilityId": id("facilityId"), "purposeType": "HARD_COUNT" }] }),
        "decide" => {
            json!({ "lines": [{ "facilityId": id("facilityId"), "subject": id("other") }], "decision": "accept" })
        }
        "approveRun" => json!({}),
        "importCounts" => json!({
            "batchId": batch_id(77), "deviceId": id("deviceId"), "inventoryCountImportId": id("inventoryCountImportId"),
            "items": [{ "importItemSeqId": id("importItemSeqId"), "productId": "10440", "quantity": 1, "revision": 99 }] }),
        "invite" => json!({ "userLoginId": format!("new-{}", id("facilityId")), "name": "theirs", "role": "counter",
            "facilityIds": [id("facilityId")] }),
        "makeApiToken" => json!({ "name": "theirs", "role": "counter", "facilityIds": [id("facilityId")] }),
        "putAlertRules" => json!({ "items": [{ "kind": "delivery-dead", "isActive": false }] }),
        "putReceiver" => json!({ "kind": "webhook", "url": "https://example.org/theirs" }),
        "putUser" => json!({ "name": "theirs", "role": "manager", "password": "of somebody else" }),
        "reportCourierStatus" => json!({ "deviceId": id("deviceId"), "sessions": [{
            "inventoryCountImportId": id("inventoryCountImportId"), "itemCount": 7, "unsentCount": 7,
            "digest": ginti_types::Manifest::of([("x", 1)]).digest, "oldestUnsentAt": "2026-11-22T09:00:00.000Z" }] }),
        "setUserDisabled" => json!({ "isDisabled": true }),
        "splitSession" => json!({ "userLoginIds": [id("userLoginId"), "manager"] }),
        "updateDevice" => json!({ "isRevoked": true }),
        "updateSession" => json!({ "assignedUserLoginId": id("userLoginId") }),
        "planByFile" => {
            return Some(("text/csv", "countImportName,facilityId,productId\nx,STORE_1,10440\n".to_owned()));
        }
        "putStock" => return Some(("text/csv", "productId,quantityOnHand\n10440,5\n".to_owned())),
        _ => return None,
    };
    Some(("application/json", json.to_string()))
}

/// What a query needs.
pub(super) fn query(operation: &str, ids: &Ids) -> String {
    match operation {
        "putStock" => format!("?facilityId={}&dryRun=false", ids["facilityId"]),
        "planByFile" => "?dryRun=false".to_owned(),
        _ => String::new(),
    }
}

pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    /// Names of its query's parameters.
    pub(super) query: Vec<String>,
    takes_body: bool,
}

pub(super) fn operations() -> Vec<Operation> {
    let document = serde_json::from_str::<Value>(ginti_server::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            found.push(Operation {
                id: operation["operationId"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{method} {path} has no operationId: {operation}"))
                    .to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                query: parameters(operation, "query"),
                takes_body: operation["requestBody"]["content"].is_object(),
            });
        }
    }
    found
}

fn parameters(operation: &Value, place: &str) -> Vec<String> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    all.filter(|one| one["in"] == place).map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// Calls it with those ids.
pub(super) async fn call(world: &World, token: &str, operation: &Operation, ids: &Ids) -> Answer {
    let path = filled(&operation.path, ids) + &query(&operation.id, ids);
    let body = body(&operation.id, ids);
    assert!(body.is_some() || !operation.takes_body, "{} takes a body: say which, in `body`", operation.id);
    send(world, token, &operation.method, &path, body.as_ref().map(|(kind, text)| (*kind, text.as_str()))).await
}

/// A path with the ids in it.
pub(super) fn filled(path: &str, ids: &Ids) -> String {
    let mut path = path.to_owned();
    while let Some((start, rest)) = path.split_once('{') {
        let (name, end) = rest.split_once('}').unwrap();
        let id = ids.get(name).unwrap_or_else(|| panic!("{path}: what is {name} of acme's?"));
        path = format!("{start}{id}{end}");
    }
    path
}

pub(super) async fn send(world: &World, token: &str, method: &str, path: &str, body: Option<(&str, &str)>) -> Answer {
    let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    let request = match body {
        Some((kind, text)) => request.header("content-type", kind).body(Body::from(text.to_owned())).unwrap(),
        None => request.body(Body::empty()).unwrap(),
    };
    let response = world.router.clone().oneshot(request).await.unwrap();
    let (parts, mut body) = response.into_parts();
    // A stream has no end: its first piece is enough.
    let is_stream = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let bytes = if is_stream {
        body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec()
    } else {
        body.collect().await.unwrap().to_bytes().to_vec()
    };
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: bytes }
}

pub(super) async fn root(store: &dyn Store, tenant: &str, name: &str) -> User {
    let tenant = TenantId::new(tenant).unwrap();
    let id = UserLoginId::new(name).unwrap();
    let name = if tenant.as_str() == ACME { format!("{MARK} root") } else { "Their root".to_owned() };
    let user = User { id, tenant: tenant.clone(), name, role: Role::Admin, facilities: None };
    store.put_user(&tenant, NewUser { user: user.clone(), password_hash: PASSWORD_HASH.clone() }).await.unwrap();
    user
}

/// Asks as acme's admin, who must get what is asked for.
pub(super) async fn done(world: &World, token: &str, method: &str, path: &str, body: &Value) -> Value {
    let answer = world.call(method, path).bearer(token).json(body).send().await;
    assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Gives acme one of everything, each with the mark in its texts.
pub(super) async fn furnish(world: &World, token: &str) -> Ids {
    const RUNS: &str = "/maarg/poorti/InventoryCountRun";
    let person = json!({ "name": format!("{MARK} person"), "role": "counter", "facilityIds": ["STORE_1"], "password": "something long" });
    done(world, token, "PUT", "/maarg/poorti/Users/acme-person", &person).await;
    done(world, token, "POST", RUNS, &json!({ "workEffortId": "RUN", "workEffortName": format!("{MARK} run") })).await;
    let session = json!({ "inventoryCountImportId": "S1", "countImportName": format!("{MARK} list"),
        "facilityId": "STORE_1", "purposeType": "DIRECTED_COUNT", "productIds": ["10440", "10441", "10442"] });
    done(world, token, "POST", &format!("{RUNS}/RUN/sessions"), &json!({ "sessions": [session] })).await;
    let batch = json!({ "batchId": batch_id(1), "deviceId": "acme-device", "inventoryCountImportId": "S1", "items": [
        { "importItemSeqId": "a", "productId": "10440", "quantity": 5, "revision": 1, "note": format!("{MARK} note") },
        { "importItemSeqId": "b", "productId": "10441", "quantity": 6, "revision": 2 } ] });
    done(world, token, "POST", IMPORT, &batch).await;
    let status = json!({ "deviceId": "acme-device", "details": { "appVersion": MARK }, "sessions": [] });
    done(world, token, "POST", "/maarg/poorti/CourierStatus", &status).await;
    let receiver = json!({ "kind": "webhook", "url": format!("https://example.org/{MARK}") });
    done(world, token, "PUT", "/maarg/poorti/Receivers/acme-erp", &receiver).await;
    let program = json!({ "name": format!("{MARK}-program"), "role": "counter", "facilityIds": ["STORE_1"] });
    let program = done(world, token, "POST", "/maarg/poorti/ApiTokens", &program).await;
    let invitation = json!({ "userLoginId": "invited", "name": format!("{MARK} invited"), "role": "counter", "facilityIds": ["STORE_1"] });
    let invitation = done(world, token, "POST", "/maarg/poorti/Invitations", &invitation).await;
    // A second run that was approved, so that a message waits.
    done(world, token, "POST", RUNS, &json!({ "workEffortId": "RUN2", "workEffortName": format!("{MARK} second") }))
        .await;
    let session = json!({ "inventoryCountImportId": "S2", "countImportName": format!("{MARK} second list"),
        "facilityId": "STORE_2", "purposeType": "HARD_COUNT" });
    done(world, token, "POST", &format!("{RUNS}/RUN2/sessions"), &json!({ "sessions": [session] })).await;
    let mut second = batch.clone();
    second["batchId"] = json!(batch_id(2));
    second["inventoryCountImportId"] = json!("S2");
    done(world, token, "POST", IMPORT, &second).await;
    done(world, token, "PUT", &format!("{IMPORT}/S2"), &json!({ "statusId": "SESSION_SUBMITTED" })).await;
    done(world, token, "POST", &format!("{RUNS}/RUN2/approval"), &json!({ "reason": MARK })).await;
    let messages = done(world, token, "GET", "/maarg/poorti/Outbox", &json!({})).await;
    // What was handed in is in review; a decision that can be taken back.
    let session = json!({ "inventoryCountImportId": "S3", "countImportName": format!("{MARK} third list"),
        "facilityId": "STORE_1", "purposeType": "HARD_COUNT" });
    done(world, token, "POST", &format!("{RUNS}/RUN/sessions"), &json!({ "sessions": [session] })).await;
    let mut third = batch.clone();
    third["batchId"] = json!(batch_id(3));
    third["inventoryCountImportId"] = json!("S3");
    done(world, token, "POST", IMPORT, &third).await;
    done(world, token, "PUT", &format!("{IMPORT}/S3"), &json!({ "statusId": "SESSION_SUBMITTED" })).await;
    done(world, token, "GET", &format!("{RUNS}/RUN/review"), &json!({})).await;
    let decision =
        json!({ "lines": [{ "facilityId": "STORE_1", "subject": "10440" }], "decision": "reject", "reason": MARK });
    let decision = done(world, token, "POST", &format!("{RUNS}/RUN/decisions"), &decision).await;
    done(world, token, "POST", "/auth/login", &json!({ "username": "root", "password": PASSWORD })).await;
    let sign_ins = done(world, token, "GET", "/auth/sign-ins", &json!({})).await;
    let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
    BTreeMap::from([
        ("workEffortId", "RUN".to_owned()),
        ("inventoryCountImportId", "S1".to_owned()),
        ("importItemSeqId", "a".to_owned()),
        ("facilityId", "STORE_1".to_owned()),
        ("subject", "10440".to_owned()),
        ("other", "10441".to_owned()),
        ("userLoginId", "acme-person".to_owned()),
        ("deviceId", "acme-device".to_owned()),
        ("batchId", batch_id(1)),
        ("receiverId", "acme-erp".to_owned()),
        ("messageId", text(&messages["items"][0]["messageId"])),
        ("apiTokenId", text(&program["apiTokenId"])),
        ("invitationId", text(&invitation["invitationId"])),
        ("decisionId", text(&decision["decisionId"])),
        ("signInId", text(&sign_ins["items"][0]["signInId"])),
    ])
}

/// The same names, of things that nobody has.
pub(super) fn of_nobody() -> Ids {
    BTreeMap::from([
        ("workEffortId", "NONE".to_owned()),
        ("inventoryCountImportId", "NONE".to_owned()),
        ("importItemSeqId", "z".to_owned()),
        ("facilityId", "STORE_0".to_owned()),
        ("subject", "99999".to_owned()),
        ("other", "99998".to_owned()),
        ("userLoginId", "no-person".to_owned()),
        ("deviceId", "no-device".to_owned()),
        ("batchId", batch_id(9_999)),
        ("receiverId", "no-receiver".to_owned()),
        ("messageId", "987654".to_owned()),
        ("apiTokenId", "987654".to_owned()),
        ("invitationId", "987654".to_owned()),
        ("decisionId", "987654".to_owned()),
        ("signInId", "987654".to_owned()),
    ])
}
