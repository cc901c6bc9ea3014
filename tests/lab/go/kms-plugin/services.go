package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"k8s.io/kms/apis/v1beta1"
	"k8s.io/kms/apis/v2"
)

const (
	v1Algorithm = "RSA1_5"
	v2Algorithm = "RSA-OAEP-256"

	algorithmAnnotation = "algorithm.azure.akv.io"
	versionAnnotation   = "version.azure.akv.io"
	answerVersion       = "1"
	healthText          = "healthcheck"
)

type v1Service struct {
	v1beta1.UnimplementedKeyManagementServiceServer
	vault *vault
}

func (s *v1Service) Version(context.Context, *v1beta1.VersionRequest) (*v1beta1.VersionResponse, error) {
	return &v1beta1.VersionResponse{Version: "v1beta1", RuntimeName: "Microsoft AzureKMS", RuntimeVersion: "lab"}, nil
}

func (s *v1Service) Encrypt(ctx context.Context, r *v1beta1.EncryptRequest) (*v1beta1.EncryptResponse, error) {
	cipher, err := s.vault.encrypt(ctx, v1Algorithm, r.Plain)
	if err != nil {
		return nil, told(err)
	}
	return &v1beta1.EncryptResponse{Cipher: cipher}, nil
}

func (s *v1Service) Decrypt(ctx context.Context, r *v1beta1.DecryptRequest) (*v1beta1.DecryptResponse, error) {
	plain, err := s.vault.decrypt(ctx, v1Algorithm, r.Cipher)
	if err != nil {
		return nil, told(err)
	}
	return &v1beta1.DecryptResponse{Plain: plain}, nil
}

type v2Service struct {
	v2.UnimplementedKeyManagementServiceServer
	vault *vault
	// The API server insists on v2beta1 up to 1.28 and on v2 from 1.29.
	statusVersion string
}

// Status is asked once a minute; a real round trip through the vault, as Azure/kubernetes-kms makes.
func (s *v2Service) Status(ctx context.Context, _ *v2.StatusRequest) (*v2.StatusResponse, error) {
	cipher, err := s.vault.encrypt(ctx, v2Algorithm, []byte(healthText))
	if err != nil {
		return nil, told(err)
	}
	plain, err := s.vault.decrypt(ctx, v2Algorithm, cipher)
	if err != nil {
		return nil, told(err)
	}
	if string(plain) != healthText {
		return nil, told(errors.New("decrypted text does not match"))
	}
	return &v2.StatusResponse{Version: s.statusVersion, Healthz: "ok", KeyId: s.vault.keyID}, nil
}

func (s *v2Service) Encrypt(ctx context.Context, r *v2.EncryptRequest) (*v2.EncryptResponse, error) {
	cipher, err := s.vault.encrypt(ctx, v2Algorithm, r.Plaintext)
	if err != nil {
		return nil, told(err)
	}
	return &v2.EncryptResponse{Ciphertext: cipher, KeyId: s.vault.keyID, Annotations: map[string][]byte{
		algorithmAnnotation: []byte(v2Algorithm),
		versionAnnotation:   []byte(answerVersion),
	}}, nil
}

func (s *v2Service) Decrypt(ctx context.Context, r *v2.DecryptRequest) (*v2.DecryptResponse, error) {
	if err := s.accept(r); err != nil {
		return nil, told(err)
	}
	plain, err := s.vault.decrypt(ctx, v2Algorithm, r.Ciphertext)
	if err != nil {
		return nil, told(err)
	}
	return &v2.DecryptResponse{Plaintext: plain}, nil
}

// accept refuses what this key did not encrypt before the vault is asked.
func (s *v2Service) accept(r *v2.DecryptRequest) error {
	if len(r.Annotations) == 0 {
		return errors.New("invalid annotations, annotations cannot be empty")
	}
	if r.KeyId != s.vault.keyID {
		return fmt.Errorf("key id %s does not match expected key id %s used for encryption", r.KeyId, s.vault.keyID)
	}
	if algorithm := string(r.Annotations[algorithmAnnotation]); algorithm != v2Algorithm {
		return fmt.Errorf("algorithm %s does not match expected algorithm %s used for encryption", algorithm, v2Algorithm)
	}
	if version := string(r.Annotations[versionAnnotation]); version != answerVersion {
		return fmt.Errorf("version %s does not match expected version %s used for encryption", version, answerVersion)
	}
	return nil
}

func told(err error) error {
	log.Print(err)
	return err
}
