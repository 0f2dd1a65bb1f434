//! X.509 certificates of the one profile that every line of NVFlare accepts.
//!
//! What is in it and why: docs/design/certificate-profile.md.

use std::net::IpAddr;

use openssl::asn1::{Asn1Integer, Asn1Time, Asn1Type};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{GeneralNameRef, X509, X509Builder, X509Name, X509NameRef, X509Ref};

use super::PrivateKey;

/// `X509v3`: the field counts from zero.
const VERSION: i32 = 2;

/// A serial number is positive and has at most 20 octets (RFC 5280 section 4.1.2.2): 159 bits, so that
/// the sign bit stays clear.
const SERIAL_BITS: i32 = 159;

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The participant's name, which NVFlare compares with what the participant says it is.
    pub(crate) common_name: String,
    /// Its organisation; the root has none.
    pub(crate) organisation: Option<String>,
    /// An admin's role: NVFlare takes it from here and from nowhere else.
    pub(crate) role: Option<String>,
    /// Host names and addresses (IPv4 or IPv6) that it answers to, the first one first.
    pub(crate) hosts: Vec<String>,
}

/// From when until when, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// The self-signed certificate of an authority.
pub(super) fn root(
    common_name: &str,
    key: &PrivateKey,
    validity: Validity,
) -> Result<X509, ErrorStack> {
    let name = distinguished_name(&Subject {
        common_name: common_name.to_owned(),
        organisation: None,
        role: None,
        hosts: Vec::new(),
    })?;
    let mut builder = common(&name, &name, key, validity)?;
    identify(&mut builder, None)?;
    builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    let usage = KeyUsage::new()
        .critical()
        .digital_signature()
        .key_cert_sign()
        .crl_sign()
        .build()?;
    builder.append_extension(usage)?;
    alternative_names(&mut builder, None, [common_name])?;
    builder.sign(key.key(), MessageDigest::sha256())?;
    Ok(builder.build())
}

/// A participant's certificate, signed by the authority.
pub(super) fn leaf(
    subject: &Subject,
    key: &PrivateKey,
    validity: Validity,
    issuer: &X509,
    issuer_key: &PrivateKey,
) -> Result<X509, ErrorStack> {
    let name = distinguished_name(subject)?;
    let mut builder = common(&name, issuer.subject_name(), key, validity)?;
    identify(&mut builder, Some(issuer))?;
    alternative_names(
        &mut builder,
        Some(issuer),
        subject.hosts.iter().map(String::as_str),
    )?;
    builder.sign(issuer_key.key(), MessageDigest::sha256())?;
    Ok(builder.build())
}

/// A certificate like `old`, of the same subject and for the same hosts.
pub(super) fn again(
    old: &X509Ref,
    key: &PrivateKey,
    validity: Validity,
    issuer: &X509,
    issuer_key: &PrivateKey,
) -> Result<X509, ErrorStack> {
    let mut builder = common(old.subject_name(), issuer.subject_name(), key, validity)?;
    identify(&mut builder, Some(issuer))?;
    let hosts = hosts(old);
    if !hosts.is_empty() {
        alternative_names(&mut builder, Some(issuer), hosts.iter().map(String::as_str))?;
    }
    builder.sign(issuer_key.key(), MessageDigest::sha256())?;
    Ok(builder.build())
}

/// The host names and addresses that a certificate is for. NVFlare writes no names of other kinds.
fn hosts(certificate: &X509Ref) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let text = |name: &GeneralNameRef| match (name.dnsname(), name.ipaddress()) {
        (Some(host), _) => Some(host.to_owned()),
        (None, Some(bytes)) => <[u8; 4]>::try_from(bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
            .ok()
            .map(|address| address.to_string()),
        (None, None) => None,
    };
    names.iter().flatten().filter_map(text).collect()
}

fn common(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PrivateKey,
    validity: Validity,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(VERSION)?;
    let serial = serial_number()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key.key())?;
    let not_before = Asn1Time::from_unix(validity.not_before)?;
    let not_after = Asn1Time::from_unix(validity.not_after)?;
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    Ok(builder)
}

fn serial_number() -> Result<Asn1Integer, ErrorStack> {
    let mut number = BigNum::new()?;
    // The highest bit set: never zero.
    number.rand(SERIAL_BITS, MsbOption::ONE, false)?;
    number.to_asn1_integer()
}

/// CN, O and role in that order, each its own RDN, all UTF8String as NVFlare writes them.
fn distinguished_name(subject: &Subject) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    let mut append =
        |nid, text: &str| name.append_entry_by_nid_with_type(nid, text, Asn1Type::UTF8STRING);
    append(Nid::COMMONNAME, &subject.common_name)?;
    if let Some(organisation) = &subject.organisation {
        append(Nid::ORGANIZATIONNAME, organisation)?;
    }
    if let Some(role) = &subject.role {
        append(Nid::PKCS9_UNSTRUCTUREDNAME, role)?;
    }
    Ok(name.build())
}

/// Subject and authority key identifiers: what strict TLS (Python 3.13 on) asks for.
fn identify(builder: &mut X509Builder, issuer: Option<&X509>) -> Result<(), ErrorStack> {
    let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
    let extension = SubjectKeyIdentifier::new().build(&context)?;
    builder.append_extension(extension)?;
    // A root's authority is itself: the context must see the identifier just added.
    let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
    let extension = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
    builder.append_extension(extension)
}

fn alternative_names<'a>(
    builder: &mut X509Builder,
    issuer: Option<&X509>,
    hosts: impl IntoIterator<Item = &'a str>,
) -> Result<(), ErrorStack> {
    let mut names = SubjectAlternativeName::new();
    for host in hosts {
        match host.parse::<IpAddr>() {
            Ok(address) => names.ip(&address.to_string()),
            Err(_) => names.dns(host),
        };
    }
    let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
    let extension = names.build(&context)?;
    builder.append_extension(extension)
}
