package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	vaultScope      = "https://vault.azure.net/.default"
	vaultAPIVersion = "7.4"
	// A token this close to its end is not used any more, as Azure's own client libraries do.
	tokenMargin = 2 * time.Minute
	maxAnswer   = 1 << 20
)

// access is how the cluster's identity reaches Key Vault; read from a file because it holds a credential.
type access struct {
	TokenURL     string `json:"tokenUrl"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	CAFile       string `json:"caFile"`
}

// vault does cryptography with one version of one key, in Key Vault's data plane.
type vault struct {
	access access
	keyURL string
	keyID  string // hex SHA-256 of keyURL: what KMS v2 stores next to the ciphertext
	client *http.Client

	mu      sync.Mutex
	token   string
	refresh time.Time
}

func openVault(accessFile, keyURL string) (*vault, error) {
	parts, err := url.Parse(keyURL)
	if err != nil {
		return nil, err
	}
	// Azure/kubernetes-kms needs the version too: it never follows a rotation by itself.
	if path := strings.Split(strings.Trim(parts.Path, "/"), "/"); len(path) != 3 || path[0] != "keys" {
		return nil, errors.New("key vault name, key name and key version are required")
	}
	text, err := os.ReadFile(accessFile)
	if err != nil {
		return nil, err
	}
	v := &vault{keyURL: strings.TrimRight(keyURL, "/")}
	if err := json.Unmarshal(text, &v.access); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(v.keyURL))
	v.keyID = hex.EncodeToString(sum[:])
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(v.access.CAFile)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(pem)) > 0 && !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", v.access.CAFile)
	}
	v.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     30 * time.Second,
	}}
	return v, nil
}

func (v *vault) encrypt(ctx context.Context, algorithm string, plain []byte) ([]byte, error) {
	result, err := v.operate(ctx, "encrypt", algorithm, base64.RawURLEncoding.EncodeToString(plain))
	if err != nil {
		return nil, fmt.Errorf("failed to encrypt, error: %w", err)
	}
	return []byte(result), nil // stays base64url text, as in Azure/kubernetes-kms
}

func (v *vault) decrypt(ctx context.Context, algorithm string, cipher []byte) ([]byte, error) {
	result, err := v.operate(ctx, "decrypt", algorithm, string(cipher))
	if err != nil {
		return nil, fmt.Errorf("failed to decrypt, error: %w", err)
	}
	plain, err := base64.RawURLEncoding.DecodeString(result)
	if err != nil {
		return nil, fmt.Errorf("failed to base64 decode result, error: %w", err)
	}
	return plain, nil
}

func (v *vault) operate(ctx context.Context, operation, algorithm, value string) (string, error) {
	token, err := v.bearer(ctx)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]string{"alg": algorithm, "value": value})
	if err != nil {
		return "", err
	}
	target := v.keyURL + "/" + operation + "?api-version=" + vaultAPIVersion
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("User-Agent", "k8s-kms-keyvault")
	status, answer, err := v.send(request)
	if err != nil {
		return "", err
	}
	if status == http.StatusUnauthorized {
		v.forget(token) // the next call asks for a new one
	}
	if status != http.StatusOK {
		return "", vaultError(operation, status, answer)
	}
	var result struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return "", err
	}
	return result.Value, nil
}

// vaultError says what the vault said, in the words of the Azure SDK that Azure/kubernetes-kms prints.
func vaultError(operation string, status int, answer []byte) error {
	var fault struct {
		Error struct {
			Code       string          `json:"code"`
			Message    string          `json:"message"`
			InnerError json.RawMessage `json:"innererror"`
		} `json:"error"`
	}
	if json.Unmarshal(answer, &fault) != nil || fault.Error.Code == "" {
		fault.Error.Code = "Unknown"
		fault.Error.Message = http.StatusText(status)
	}
	inner := ""
	if len(fault.Error.InnerError) > 0 && string(fault.Error.InnerError) != "null" {
		inner = " InnerError=" + string(fault.Error.InnerError)
	}
	return fmt.Errorf("keyvault.BaseClient#%s: Failure responding to request: StatusCode=%d -- Original Error: "+
		"autorest/azure: Service returned an error. Status=%d Code=%q Message=%q%s",
		strings.ToUpper(operation[:1])+operation[1:], status, status, fault.Error.Code, fault.Error.Message, inner)
}

func (v *vault) bearer(ctx context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.token != "" && time.Now().Before(v.refresh) {
		return v.token, nil
	}
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {v.access.ClientID},
		"client_secret": {v.access.ClientSecret},
		"scope":         {vaultScope},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.access.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, answer, err := v.send(request)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("azure.BearerAuthorizer#WithAuthorization: Failed to refresh the Token for request to %s: "+
			"StatusCode=%d -- Original Error: adal: Refresh request failed. Status Code = '%d'. Response body: %s",
			v.keyURL, status, status, bytes.TrimSpace(answer))
	}
	var granted struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"` // Entra ID sends a number or a string, by endpoint
	}
	if err := json.Unmarshal(answer, &granted); err != nil {
		return "", err
	}
	seconds, err := granted.ExpiresIn.Int64()
	if err != nil || granted.AccessToken == "" {
		return "", errors.New("the token endpoint answered without access_token and expires_in")
	}
	v.token = granted.AccessToken
	v.refresh = time.Now().Add(time.Duration(seconds)*time.Second - tokenMargin)
	return v.token, nil
}

func (v *vault) forget(token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.token == token {
		v.token = ""
	}
}

func (v *vault) send(request *http.Request) (int, []byte, error) {
	response, err := v.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, answer, err
}
