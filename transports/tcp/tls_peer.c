/* Who the other side of a TLS connection is, and what both sides know of it. */
#include "tls.h"

#include <openssl/x509v3.h>

static const char label[] = "EXPORTER-patio-auth-v1";

bool tls_binding(conn *c, uint8_t binding[TLS_BINDING_BYTES])
{
    pthread_mutex_lock(&c->tls->lock);
    int rc = SSL_export_keying_material(c->tls->ssl, binding, TLS_BINDING_BYTES, label,
                                        sizeof(label) - 1, NULL, 0, 0);
    ERR_clear_error();
    pthread_mutex_unlock(&c->tls->lock);
    return rc == 1;
}

static bool copy_name(const ASN1_STRING *from, char name[256])
{
    int size = from != NULL ? ASN1_STRING_length(from) : 0;
    if (size <= 0 || size > 255 || memchr(ASN1_STRING_get0_data(from), 0, (size_t)size) != NULL) {
        return false;
    }
    memcpy(name, ASN1_STRING_get0_data(from), (size_t)size);
    name[size] = '\0';
    return true;
}

bool tls_peer_name(conn *c, unsigned index, char name[256])
{
    X509 *shown = c->tls != NULL ? SSL_get0_peer_certificate(c->tls->ssl) : NULL;
    name[0]     = '\0';
    if (shown == NULL) {
        return false;
    }
    if (index == 0) {
        const X509_NAME *subject = X509_get_subject_name(shown);
        int              at      = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        (void)(at >= 0 &&
               copy_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), name));
        return true; /* "" if it has none or an odd one: it matches nothing */
    }
    GENERAL_NAMES *names = X509_get_ext_d2i(shown, NID_subject_alt_name, NULL, NULL);
    bool           there = (int)index <= sk_GENERAL_NAME_num(names);
    if (there) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, (int)index - 1);
        (void)(one->type == GEN_DNS && copy_name(one->d.dNSName, name));
    }
    GENERAL_NAMES_free(names);
    return there;
}

void tls_describe(conn *c, char *text, size_t room)
{
    char name[256];
    bool named = tls_peer_name(c, 0, name) && name[0] != '\0';
    (void)snprintf(text, room, "%s%s%s", SSL_get_version(c->tls->ssl), named ? " CN=" : "",
                   named ? name : "");
}
