//! JWT check. The configuration is the secret that tokens are signed with (HS256).
use hmac::{Hmac, Mac};
use proxy_wasm::traits::*;
use proxy_wasm::types::*;
use serde_json::Value;
use sha2::Sha256;
use std::time::UNIX_EPOCH;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

#[derive(Default)]
struct Plugin {
    secret: String,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        self.secret = text;
        !self.secret.is_empty()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { secret: self.secret.clone() }))
    }
}

struct Stream {
    secret: String,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_request_header("x-jwt-sub", None); // only we may send this
        let given = self.get_http_request_header("authorization").unwrap_or_default();
        let token = match given.strip_prefix("Bearer ") {
            Some(token) => token,
            None => return self.refuse("no token\n"),
        };
        let claims = match check(token, self.secret.as_bytes()) {
            Some(claims) => claims,
            None => return self.refuse("wrong token\n"),
        };
        let now = self.get_current_time().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if claims["exp"].as_u64().map_or(false, |exp| exp <= now) {
            return self.refuse("expired token\n");
        }
        self.set_http_request_header("x-jwt-sub", claims["sub"].as_str());
        Action::Continue
    }
}

impl Stream {
    fn refuse(&self, why: &str) -> Action {
        self.send_http_response(401, vec![("www-authenticate", "Bearer")], Some(why.as_bytes()));
        Action::Pause
    }
}

fn check(token: &str, secret: &[u8]) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&decoded(signature)?).ok()?;
    if parsed(head)?["alg"] != "HS256" {
        return None;
    }
    parsed(claims)
}

fn parsed(part: &str) -> Option<Value> {
    serde_json::from_slice(&decoded(part)?).ok()
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    base64::decode_config(part, base64::URL_SAFE_NO_PAD).ok()
}
