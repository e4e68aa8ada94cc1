// SPDX-License-Identifier: EUPL-1.2

package rdf

// The terms of RDF and XML Schema that the syntaxes themselves know.
const (
	rdfNS         = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	rdfType       = rdfNS + "type"
	rdfFirst      = rdfNS + "first"
	rdfRest       = rdfNS + "rest"
	rdfNil        = rdfNS + "nil"
	rdfLangString = rdfNS + "langString"
	rdfJSON       = rdfNS + "JSON"

	xsdNS       = "http://www.w3.org/2001/XMLSchema#"
	xsdString   = xsdNS + "string"
	xsdBoolean  = xsdNS + "boolean"
	xsdInteger  = xsdNS + "integer"
	xsdDecimal  = xsdNS + "decimal"
	xsdDouble   = xsdNS + "double"
	xsdDate     = xsdNS + "date"
	xsdDateTime = xsdNS + "dateTime"
	xsdAnyURI   = xsdNS + "anyURI"
)

// wellKnown returns the prefix that the writers use for a namespace if the
// caller and the document name none, or "".
func wellKnown(namespace string) string {
	switch namespace {
	case rdfNS:
		return "rdf"
	case xsdNS:
		return "xsd"
	case "http://www.w3.org/2000/01/rdf-schema#":
		return "rdfs"
	case "http://www.w3.org/2002/07/owl#":
		return "owl"
	case "http://www.w3.org/ns/auth/acl#":
		return "acl"
	case "http://www.w3.org/ns/ldp#":
		return "ldp"
	case "http://www.w3.org/ns/solid/terms#":
		return "solid"
	case "http://www.w3.org/ns/solid/notifications#":
		return "notify"
	case "http://www.w3.org/ns/solid/interop#":
		return "interop"
	case "http://www.w3.org/ns/solid/oidc#":
		return "oidc"
	case "http://www.w3.org/ns/pim/space#":
		return "pim"
	case "http://www.w3.org/ns/posix/stat#":
		return "stat"
	case "http://www.w3.org/ns/prov#":
		return "prov"
	case "http://www.w3.org/ns/odrl/2/":
		return "odrl"
	case "http://www.w3.org/ns/dcat#":
		return "dcat"
	case "http://www.w3.org/ns/shacl#":
		return "sh"
	case "http://www.w3.org/2004/02/skos/core#":
		return "skos"
	case "http://www.w3.org/2006/time#":
		return "time"
	case "http://www.w3.org/2006/vcard/ns#":
		return "vcard"
	case "https://www.w3.org/ns/activitystreams#":
		return "as"
	case "https://www.w3.org/2018/credentials#":
		return "cred"
	case "https://w3id.org/security#":
		return "sec"
	case "https://w3id.org/dpv#":
		return "dpv"
	case "http://purl.org/dc/terms/":
		return "dcterms"
	case "http://purl.org/vocab/cpsv#":
		return "cpsv"
	case "http://xmlns.com/foaf/0.1/":
		return "foaf"
	case "http://schema.org/", "https://schema.org/":
		return "schema"
	case "http://data.europa.eu/m8g/":
		return "cccev"
	case "http://data.europa.eu/snb/model/elm/":
		return "elm"
	}
	return ""
}
