//! Addresses to listen on, and networks.
//!
//! An address is an IP address and a port, never a name: a name can mean several addresses, and which
//! of them is bound must not depend on a resolver. Port 0 is legal and lets the system choose.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::{Complaint, crop};

pub(super) fn address(text: &str) -> Result<SocketAddr, Complaint> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let shown = crop(text);
    if let Ok(ip) = text.parse::<IpAddr>() {
        let with_port = SocketAddr::new(ip, 4000).to_string();
        return Err(Complaint::new(format!("`{shown}` has no port")).rather(&with_port));
    }
    if is_number(text) {
        let complaint = Complaint::new(format!("`{shown}` is a port without an address"));
        return Err(match text.parse::<u16>() {
            Ok(port) => complaint.rather(&format!("127.0.0.1:{port}")),
            Err(_) => complaint.hint("the highest port is 65535"),
        });
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(Complaint::new(format!("`{shown}` is not an address such as `127.0.0.1:4000`")));
    };
    if is_number(port) && port.parse::<u16>().is_err() {
        return Err(Complaint::new(format!("port {} is above 65535", crop(port))));
    }
    if port.parse::<u16>().is_err() {
        return Err(
            Complaint::new(format!("`{}` is not a port", crop(port))).hint("a port is a number up to 65535")
        );
    }
    if host.is_empty() {
        return Err(Complaint::new(format!("`{shown}` names no address")).rather(&format!("0.0.0.0:{port}")));
    }
    if host == "localhost" {
        return Err(Complaint::new(format!("`{shown}` is a name, not an address"))
            .rather(&format!("127.0.0.1:{port}")));
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(Complaint::new(format!("`{shown}` needs brackets")).rather(&format!("[{host}]:{port}")));
    }
    Err(Complaint::new(format!("`{}` is not an IP address", crop(host)))
        .hint("names are not looked up; `0.0.0.0` listens on every address"))
}

pub(super) fn cidr(text: &str) -> Result<IpNet, Complaint> {
    let shown = crop(text);
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Err(
            Complaint::new(format!("`{shown}` has no prefix length")).rather(&IpNet::from(ip).to_string())
        );
    }
    let net: IpNet = text
        .parse()
        .map_err(|_| Complaint::new(format!("`{shown}` is not a network such as `10.0.0.0/8`")))?;
    if net.trunc() != net {
        return Err(Complaint::new(format!("`{shown}` has bits set past its prefix"))
            .rather(&net.trunc().to_string()));
    }
    Ok(net)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
