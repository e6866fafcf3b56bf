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

bool tls_is_old(const conn *c)
{
    return c->tls->context != c->endpoint->context;
}

/* As the handshake does it. Whether a certificate must be shown at all is no question of files. */
const char *tls_check_again(conn *c)
{
    SSL        *ssl   = c->tls->ssl;
    X509_STORE *store = SSL_CTX_get_cert_store(c->endpoint->context->ctx);
    pthread_mutex_lock(&c->tls->lock);
    X509           *shown = SSL_get0_peer_certificate(ssl);
    X509_STORE_CTX *check = shown != NULL ? X509_STORE_CTX_new() : NULL;
    int             error = shown != NULL ? X509_V_ERR_OUT_OF_MEM : X509_V_OK;
    if (check != NULL &&
        X509_STORE_CTX_init(check, store, shown, SSL_get_peer_cert_chain(ssl)) == 1) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(check);
        X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(ssl));
        (void)X509_STORE_CTX_set_default(check, c->connects ? "ssl_server" : "ssl_client");
        (void)X509_VERIFY_PARAM_set1(param, SSL_get0_param(ssl)); /* the name it must have */
        error = X509_verify_cert(check) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(check);
    }
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    pthread_mutex_unlock(&c->tls->lock);
    return error == X509_V_OK ? NULL : X509_verify_cert_error_string(error);
}

static void copy_name(const ASN1_STRING *from, char name[256])
{
    int size = from != NULL ? ASN1_STRING_length(from) : 0;
    name[0]  = '\0';
    if (size > 0 && size <= 255 && memchr(ASN1_STRING_get0_data(from), 0, (size_t)size) == NULL) {
        memcpy(name, ASN1_STRING_get0_data(from), (size_t)size);
        name[size] = '\0';
    }
}

unsigned tls_peer_names(conn *c, char (*names)[256], unsigned room)
{
    X509 *shown = SSL_get0_peer_certificate(c->tls->ssl);
    if (shown == NULL) {
        return 0;
    }
    const X509_NAME *subject = X509_get_subject_name(shown);
    int              at      = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    copy_name(at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL,
              names[0]);
    unsigned       count = 1;
    GENERAL_NAMES *more  = NULL;
    if (room > count) {
        more = X509_get_ext_d2i(shown, NID_subject_alt_name, NULL, NULL);
    }
    for (int i = 0; count < room && i < sk_GENERAL_NAME_num(more); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(more, i);
        if (one->type == GEN_DNS) {
            copy_name(one->d.dNSName, names[count++]);
        }
    }
    GENERAL_NAMES_free(more);
    ERR_clear_error();
    return count;
}

void tls_describe(conn *c, char *text, size_t room)
{
    char name[1][256];
    bool named = tls_peer_names(c, name, 1) > 0 && name[0][0] != '\0';
    for (char *at = name[0]; named && *at != '\0'; at++) { /* for terminals and logs */
        *at = (unsigned char)*at < 0x20 || *at == 0x7F ? '?' : *at;
    }
    (void)snprintf(text, room, "%s%s%s", SSL_get_version(c->tls->ssl), named ? " CN=" : "",
                   named ? name[0] : "");
}
